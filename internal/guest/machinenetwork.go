// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/network"
)

// MachineNetwork is what the interfaces of a virtual machine shall have. The kernel names them in their order, from
// eth0 on.
type MachineNetwork struct {
	Interfaces []network.Interface `json:"interfaces"`
	Limit      time.Duration       `json:"limit"` // until servers must have answered
}

// networkDir has what is known of the leases, and the resolv.conf(5) that follows from them.
const networkDir = "/run/virt-sandbox-network"

// setNetwork gives the interfaces what they shall have, and keeps their leases as long as the machine runs.
func (m *Machine) setNetwork(hostname string) error {
	for _, i := range m.Network.Interfaces {
		_, err := await("the interface "+i.Name, func() (string, bool) {
			_, err := os.Stat("/sys/class/net/" + i.Name)
			return i.Name, err == nil
		})
		if err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(networkDir, filepath.Dir(network.ResolvFile)), 0o755); err != nil {
		return fmt.Errorf("set up the network: %w", err)
	}
	path, err := os.Open(networkDir)
	if err != nil {
		return fmt.Errorf("set up the network: %w", err)
	}
	dir, err := os.OpenRoot(networkDir)
	if err != nil {
		return fmt.Errorf("set up the network: %w", err)
	}
	defer dir.Close()
	pidfd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return fmt.Errorf("set up the network: %w", err)
	}
	self := os.NewFile(uintptr(pidfd), "pidfd")
	ctx, cancel := context.WithTimeout(context.Background(), m.Network.Limit)
	defer cancel()
	if err = network.SwitchOn(self, m.Network.Interfaces); err == nil {
		err = network.NewState(dir, hostname, m.Network.Interfaces).Start(ctx, self)
	}
	if err != nil {
		return fmt.Errorf("network of %s: %w", hostname, network.Explain(err, m.Network.Limit))
	}
	go func() {
		say := func(text string) { fmt.Fprintf(os.Stderr, "virt-sandbox-init: %s\n", text) }
		if err := network.Keep(context.Background(), path, self, say); err != nil {
			say(err.Error())
		}
	}()
	return showResolv(filepath.Join(networkDir, network.ResolvFile))
}
