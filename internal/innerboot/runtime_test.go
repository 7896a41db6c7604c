// SPDX-License-Identifier: Apache-2.0

package innerboot

import (
	"maps"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// TestCarried: what [service] says of services is said to those of the sandbox inside, and to no other.
func TestCarried(t *testing.T) {
	s := box("d.service", "t.socket")
	s.Service = []config.Directive{
		{Name: "LimitNOFILE", Value: "9"}, {Name: "RestartSec", Value: "1"}, {Name: "NoNewPrivileges", Value: "yes"},
		{Name: "MemoryHigh", Value: "1G"},
	}
	want := map[string]string{
		"d.service.d/95-virt-sandbox-config.conf": "# [service] of the sandbox's config.\n[Service]\nLimitNOFILE=9\n" +
			"NoNewPrivileges=yes\n",
	}
	if got := Runtime(s); !maps.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := Runtime(box("d.service")); got != nil {
		t.Errorf("without any: %q", got)
	}
}
