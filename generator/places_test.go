// SPDX-License-Identifier: Apache-2.0

package generator

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// places makes a store with the directories etc, run and usr; what begins with -> is a link.
func places(t *testing.T, files map[string]string) config.Store {
	t.Helper()
	top := t.TempDir()
	for file, text := range files {
		path := filepath.Join(top, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		err := os.WriteFile(path, []byte(text), 0o644)
		if target, isLink := strings.CutPrefix(text, "-> "); isLink {
			os.Remove(path)
			err = os.Symlink(target, path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return config.Store{Dir: top + "/etc", Lower: [2]string{top + "/run", top + "/usr"}}
}

// TestUnitsOfTemplates: each instance has a unit, of what the template and its drop-ins say, which says where that
// lies; the template has none.
func TestUnitsOfTemplates(t *testing.T) {
	store := places(t, map[string]string{
		"usr/web@.sandbox":      "[sandbox]\nformat=2\nunit=nginx@%i.service\n[service]\nRestartSec=1\n",
		"etc/web@a.sandbox":     "-> web@.sandbox",
		"etc/web@b-1.sandbox":   "-> web@.sandbox",
		"usr/plain.sandbox":     "[sandbox]\nformat=2\nunit=x.service\n",
		"run/plain.sandbox":     "[sandbox]\nformat=2\nunit=y.service\n",
		"etc/sandbox.d/a.conf":  "[service]\nLogLevelMax=7\n",
		"etc/web@b-1.sandbox.d": "-> dir",
		"etc/dir/b.conf":        "[mounts]\nhost-show=/srv/x=/srv/%i\n",
	})
	files, problems := generate(t, store, t.TempDir())
	if len(problems) > 0 || len(files) != 3 {
		t.Fatalf("%v, %v", problems, files)
	}
	top, etc := filepath.Dir(store.Dir), "SourcePath=/etc/libvirt-sandbox/services/"
	for unit, parts := range map[string][]string{
		"nginx@web@a.service":   {" run web@a\n", etc + "web@a.sandbox\n", "\nRestartSec=1\n", "LogLevelMax=7\n"},
		"nginx@web@b-1.service": {" run web@b-1\n", etc + "web@b-1.sandbox\n", " /srv/b-1\n"},
		"y@plain.service":       {" run plain\n", "SourcePath=" + top + "/run/plain.sandbox\n"},
	} {
		for _, part := range parts {
			if !strings.Contains(files[unit], part) {
				t.Errorf("%s lacks %s:\n%s", unit, part, files[unit])
			}
		}
	}
}

// TestMaskedConfigs have no unit, and what enables their stub starts nothing.
func TestMaskedConfigs(t *testing.T) {
	store := places(t, map[string]string{
		"etc/web.sandbox": "-> /dev/null", "usr/web.sandbox": good,
		"etc/own.sandbox": "-> /dev/null", "etc/t@.sandbox": "-> /dev/null", "usr/t@1.sandbox": "-> t@.sandbox",
	})
	dir := t.TempDir()
	stub := units.Stub(&config.Sandbox{Name: "own", Units: []string{"x.service"}}, units.Paths{Config: store.Path("own")})
	if err := os.WriteFile(dir+"/httpd@own.service", stub, 0o644); err != nil {
		t.Fatal(err)
	}
	files, problems := generate(t, store, dir)
	if len(problems) > 0 || len(files) != 1 || files["early/httpd@own.service"] != "-> /dev/null" {
		t.Errorf("%v, %v", problems, files)
	}
}

// TestMistakeOfMany: what is wrong with a template or a drop-in is told once, and fails all that it is for.
func TestMistakeOfMany(t *testing.T) {
	store := places(t, map[string]string{
		"etc/web@.sandbox": "[sandbox]\nformat=2\nunit=nginx@%i.service\n", "etc/web@a.sandbox": "-> web@.sandbox",
		"etc/web@b.sandbox": "-> web@.sandbox", "etc/web@.sandbox.d/a.conf": "[limits]\nmemroy=1G\n",
		"etc/c.sandbox": "[sandbox]\nformat=2\nunit=c.service\n", "etc/c.sandbox.d/x.conf": "-> /gone",
	})
	files, problems := generate(t, store, t.TempDir())
	if len(problems) != 2 || !strings.HasPrefix(problems[1].Error(), store.Dir+"/web@.sandbox.d/a.conf:2: unknown key") ||
		!strings.HasPrefix(problems[0].Error(), store.Dir+"/c.sandbox:1: read drop-in: ") {
		t.Errorf("%v", problems)
	}
	for _, unit := range []string{"late/nginx@web@a.service", "late/nginx@web@b.service", "late/c@c.service"} {
		if !strings.Contains(files[unit], " explain ") {
			t.Errorf("%s: %v", unit, files[unit])
		}
	}
}
