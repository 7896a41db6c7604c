// SPDX-License-Identifier: Apache-2.0

package innerboot

import (
	"maps"
	"strings"
	"testing"
	"time"

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
		"d.service.d/zz-virt-sandbox-service.conf": "# [service] of the sandbox's config.\n[Service]\nLimitNOFILE=9\n" +
			"NoNewPrivileges=yes\n",
	}
	if got := Runtime(s, Fitting{}); !maps.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := Runtime(box("d.service"), Fitting{}); got != nil {
		t.Errorf("without any: %q", got)
	}
}

// TestHealthUnits: a sandbox with a check has a timer that the boot wants and does not wait for, and one whose start is
// to wait for the first success has a unit that the boot waits for.
func TestHealthUnits(t *testing.T) {
	s := box("d.service", "t.socket")
	s.Health.Command, s.Health.Interval = "true", 100*time.Second
	got := Runtime(s, Fitting{})
	const target = "multi-user.target.d/95-virt-sandbox-health.conf"
	if len(got) != 3 || got[target] != "[Unit]\nWants=virt-sandbox-health.timer\n" {
		t.Errorf("got %q", got)
	}
	for file, part := range map[string]string{
		"virt-sandbox-health.timer": "After=d.service t.socket\n\n[Timer]\nOnActiveSec=100\n" +
			"OnUnitInactiveSec=100\nAccuracySec=5\n",
		"virt-sandbox-health.service": "ExecStart=/run/host/virt-sandbox-init health\nTimeoutStartSec=110\n",
	} {
		if !strings.Contains(got[file], part) {
			t.Errorf("%s is %q", file, got[file])
		}
	}
	s.Health.Ready = true
	got = Runtime(s, Fitting{})
	if got[target] != "[Unit]\nWants=virt-sandbox-health.timer virt-sandbox-health-ready.service\n" ||
		!strings.Contains(got["virt-sandbox-health-ready.service"], "init health-ready\nTimeoutStartSec=infinity\n") ||
		!strings.Contains(got["virt-sandbox-health.timer"], "t.socket virt-sandbox-health-ready.service\n") {
		t.Errorf("got %q", got)
	}
}
