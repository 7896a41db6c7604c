// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// On a host without SELinux and AppArmor the note says what separates root inside from root outside.
func TestNoteConfinement(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*config.Sandbox)
		want   string
	}{
		{"nothing", func(*config.Sandbox) {}, "root inside is root outside, since there is no AppArmor either"},
		{"ids of its own", func(s *config.Sandbox) { s.Hardening.IDMap = config.IDMap{Base: 100000, Count: 65536} },
			"its own user ids separate root inside from root outside"},
		{"a level", func(s *config.Sandbox) { s.Security.Level = "s0:c1,c2" }, "level s0:c1,c2 is kept in the state of web"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			if h.Host.SELinux() {
				t.Skip("this machine runs SELinux")
			}
			s := config.New("web")
			c.change(s)
			if err := h.noteConfinement(s); err != nil {
				t.Fatal(err)
			}
			h.warned(t, c.want)
		})
	}
}

// It is said once for many creates.
func TestNoteConfinementOnce(t *testing.T) {
	h := newHost(t)
	if h.Host.SELinux() {
		t.Skip("this machine runs SELinux")
	}
	h.create(t, "web")
	h.create(t, "other")
	notes := 0
	for _, w := range h.warnings {
		if strings.Contains(w, "SELinux is off on this host") {
			notes++
		}
	}
	if notes != 1 {
		t.Errorf("%d notes in %q", notes, h.warnings)
	}
}
