// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"slices"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// Root that writes to the host's directories gives files no capabilities, unless the config says so; others may, and
// who is not root has none to give.
func TestFileCapability(t *testing.T) {
	shares := func(text string) config.Mount {
		m, err := config.ParseMount(text)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, c := range []struct {
		name  string
		mount string
		uid   uint32
		added bool
		want  bool
	}{
		{"no mount", "", 0, false, true},
		{"memory", "ram:/srv=1M", 0, false, true},
		{"read-only", "host-show:/srv=/srv", 0, false, true},
		{"writable", "host-bind:/srv=/srv", 0, false, false},
		{"asked for", "host-bind:/srv=/srv", 0, true, true},
		{"not root", "host-bind:/srv=/srv", 1000, false, true},
	} {
		var s config.Sandbox
		s.Hardening.Capabilities.Base, s.Identity.UID = config.NamesAuto, c.uid
		if c.mount != "" {
			s.Mounts = append(s.Mounts, shares(c.mount))
		}
		if c.added {
			s.Hardening.Capabilities.Add = []string{fileCapability}
		}
		if got := slices.Contains(Capabilities(&s, Host{}), fileCapability); got != c.want {
			t.Errorf("%s: it has %s: %v", c.name, fileCapability, got)
		}
	}
}
