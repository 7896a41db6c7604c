// SPDX-License-Identifier: Apache-2.0

package hostetc

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// Making and enabling a sandbox makes the /etc of the others no old one, nor does a drop-in for its unit; what else
// comes among the units does.
func TestUnitsOfSandboxes(t *testing.T) {
	h := newHost(t, map[string]string{"/etc/systemd/system/own.service": "[Service]\nExecStart=/bin/true\n"})
	etc := filepath.Join(h.Root, "etc/systemd/system")
	current := func() string {
		t.Helper()
		name, err := h.Current()
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	put := func(name, text string) {
		t.Helper()
		file := filepath.Join(etc, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(name, target string) {
		t.Helper()
		file := filepath.Join(etc, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, file); err != nil {
			t.Fatal(err)
		}
	}
	s := config.New("web")
	s.Units = []string{"httpd.service"}
	stub := string(units.Stub(s, units.Paths{Config: "/etc/libvirt-sandbox/services/web.sandbox"}))

	first := current()
	put("httpd@web.service", stub)
	link("multi-user.target.wants/httpd@web.service", "/etc/systemd/system/httpd@web.service")
	put("httpd@web.service.d/override.conf", "[Service]\nNice=5\n")
	if current() != first {
		t.Error("a sandbox changes what the others see")
	}
	if got := seen(t, h.use(t, false)); slices.ContainsFunc(got, func(name string) bool {
		return filepath.Base(name) != "own.service" && filepath.Ext(name) == ".service"
	}) {
		t.Errorf("they see %q", got)
	}
	for name, change := range map[string]func(){
		"a full unit":   func() { put("httpd@full.service", "[Service]\nExecStart=/bin/true\n") },
		"another link":  func() { link("multi-user.target.wants/own.service", "/etc/systemd/system/own.service") },
		"a drop-in":     func() { put("own.service.d/more.conf", "[Service]\nNice=5\n") },
		"another's one": func() { put("httpd.service.d/more.conf", "[Service]\nNice=5\n") },
	} {
		before := current()
		if change(); current() == before {
			t.Errorf("%s is not seen", name)
		}
	}
}
