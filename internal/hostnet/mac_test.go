// SPDX-License-Identifier: Apache-2.0

package hostnet

import (
	"os"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/nic"
	"github.com/virt-sandbox/virt-sandbox/internal/statefile"
)

// TestChooseMAC: an address follows from the sandbox and the interface, is one that the config takes, and nobody
// else's.
func TestChooseMAC(t *testing.T) {
	const one, two = "01234567-89ab-4def-8123-456789abcdef", "01234567-89ab-4def-8123-456789abcdee"
	first := chooseMAC(one, 0, nil)
	if again := chooseMAC(one, 0, nil); again != first {
		t.Errorf("chose %s, then %s", first, again)
	}
	seen := map[string]string{}
	for _, mac := range []string{first, chooseMAC(one, 1, nil), chooseMAC(two, 0, nil),
		chooseMAC(one, 0, map[string]string{first: "sandbox other"})} {
		if seen[mac] != "" {
			t.Errorf("%s is chosen twice", mac)
		}
		seen[mac] = "seen"
		if i, err := nic.Parse("mac=" + mac); err != nil || i.MAC != mac || !strings.HasPrefix(mac, "52:54:00:") {
			t.Errorf("chose %s: %v", mac, err)
		}
	}
}

// TestCheckMACs has another sandbox's config in several states beside that of web.
func TestCheckMACs(t *testing.T) {
	const mac = "52:54:00:ab:cd:ef"
	with := func(lines string) string {
		return "[sandbox]\nformat=1\nname=other\nunit=httpd.service\n" + lines
	}
	for _, c := range []struct{ name, other, err string }{
		{"no interface", with(""), ""},
		{"another address", with("[network]\ninterface=mac=52:54:00:12:34:57\n"), ""},
		{"the same", with("[network]\ninterface=dhcp\ninterface=bridge=br0,mac=" + mac + "\n"),
			"sandbox other has the MAC address " + mac + " already"},
		{"the same in capitals", with("[network]\ninterface=mac=52:54:00:AB:CD:EF\n"), "sandbox other has"},
		{"the same in a comment", with("# once " + mac + "\n"), ""},
		{"a config that cannot be used", with("colour=" + mac), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, s := hostOf(t, c.other, "dhcp,mac="+mac)
			err := h.CheckMACs(s)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("got %v, want %s", err, c.err)
			}
		})
	}
}

// hostOf has a sandbox web with one interface in its hand, and another's config in its store.
func hostOf(t *testing.T, other, option string) (*Host, *config.Sandbox) {
	t.Helper()
	store := config.Store{Dir: t.TempDir(), States: statefile.Dir(t.TempDir())}
	if err := os.WriteFile(store.Path("other"), []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	i, err := nic.Parse(option)
	if err != nil {
		t.Fatal(err)
	}
	s := config.New("web")
	s.Units, s.Interfaces = []string{"httpd.service"}, []config.Interface{i}
	if err := store.Save(s); err != nil {
		t.Fatal(err)
	}
	return New(store, nil), s
}

// TestDropMACsOf: a copy keeps only what its source has not.
func TestDropMACsOf(t *testing.T) {
	source := &config.Sandbox{Interfaces: []config.Interface{{MAC: "52:54:00:00:00:01"}, {MAC: ""}}}
	s := &config.Sandbox{Interfaces: []config.Interface{{MAC: "52:54:00:00:00:02"}, {MAC: "52:54:00:00:00:01"}, {MAC: ""}}}
	DropMACsOf(s, source)
	for n, want := range []string{"52:54:00:00:00:02", "", ""} {
		if s.Interfaces[n].MAC != want {
			t.Errorf("interface %d has %q, want %q", n, s.Interfaces[n].MAC, want)
		}
	}
}
