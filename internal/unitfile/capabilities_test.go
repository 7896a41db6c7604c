// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"slices"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

func TestCapabilities(t *testing.T) {
	cases := []struct {
		name, lines string
		want        []string
	}{
		{"none", "ExecStart=/bin/d", nil},
		{"a list", "CapabilityBoundingSet=CAP_CHOWN CAP_IPC_LOCK", []string{"CAP_CHOWN", "CAP_IPC_LOCK"}},
		{
			"over lines",
			"CapabilityBoundingSet=CAP_CHOWN \\\n  CAP_KILL\nCapabilityBoundingSet=CAP_IPC_LOCK",
			[]string{"CAP_CHOWN", "CAP_KILL", "CAP_IPC_LOCK"},
		},
		{"both directives", "AmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=CAP_CHOWN", []string{"CAP_CHOWN",
			"CAP_NET_BIND_SERVICE"}},
		{"all but some", "CapabilityBoundingSet=~CAP_SYS_ADMIN CAP_SYS_PTRACE", nil},
		{
			"some taken away",
			"CapabilityBoundingSet=CAP_CHOWN CAP_LEASE\nCapabilityBoundingSet=~CAP_LEASE",
			[]string{"CAP_CHOWN", "CAP_LEASE"},
		},
		{
			"reset",
			"CapabilityBoundingSet=CAP_CHOWN\nCapabilityBoundingSet=\nCapabilityBoundingSet=CAP_KILL",
			[]string{"CAP_KILL"},
		},
		{"lower case", "AmbientCapabilities=cap_kill", []string{"CAP_KILL"}},
		{"unknown names and words", "AmbientCapabilities=CAP_BPF all CAP_KILL", []string{"CAP_KILL"}},
		{"nice", "Nice=-5", []string{"CAP_SYS_NICE"}},
		{"not nice", "Nice=-5\nNice=19", nil},
		{"real time", "CPUSchedulingPolicy=rr", []string{"CAP_SYS_NICE"}},
		{"disk", "IOSchedulingClass=realtime", []string{"CAP_SYS_NICE"}},
		{"user of its own", "DynamicUser=yes", nil}, // innerboot gives it an account that stays
		{"mounts that protect", "PrivateTmp=yes\nProtectSystem=full\nReadWritePaths=/var", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			host := Root(hosttest.Root(t, map[string]string{"/usr/lib/systemd/system/d.service": "[Service]\n" + c.lines +
				"\n"}))
			unit, err := host.Find("d", "box")
			if err != nil {
				t.Fatal(err)
			}
			if got := unit.Capabilities(); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
