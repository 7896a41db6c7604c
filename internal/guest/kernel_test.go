// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"os"
	"slices"
	"testing"
)

// The devices of PCI are covered, but where the container has an interface of the host's among them.
func TestBusesOfHost(t *testing.T) {
	sys := t.TempDir()
	err := errors.Join(os.MkdirAll(sys+"/devices/pci0000:00", 0o755), os.MkdirAll(sys+"/devices/virtual/net/eth0", 0o755),
		os.MkdirAll(sys+"/class/net", 0o755), os.Symlink("../../devices/virtual/net/eth0", sys+"/class/net/eth0"))
	if err != nil {
		t.Fatal(err)
	}
	if got := busesOfHost(sys); !slices.Equal(got, []string{sys + "/devices/pci0000:00"}) {
		t.Errorf("got %v", got)
	}
	err = os.Symlink("../../devices/pci0000:00/0000:00:03.0/net/ens3", sys+"/class/net/ens3")
	if got := busesOfHost(sys); err != nil || got != nil {
		t.Errorf("with the host's network: got %v, %v", got, err)
	}
}
