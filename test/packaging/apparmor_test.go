// SPDX-License-Identifier: Apache-2.0

package packaging

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The hook adds its block once to the files for additions of a site, for containers and for virtual machines, and takes
// just that out: what an administrator wrote stays as it was.
func TestAppArmorHook(t *testing.T) {
	for driver, abstraction := range map[string]string{"lxc": "virt-sandbox", "qemu": "virt-sandbox-qemu"} {
		if _, err := os.Stat(filepath.Join(repository, "packaging/apparmor", abstraction)); err != nil {
			t.Error(err)
		}
		t.Run(driver, func(t *testing.T) {
			hookAdds(t, "local/abstractions/libvirt-"+driver, "#include <abstractions/"+abstraction+">\n")
		})
	}
}

func hookAdds(t *testing.T, name, include string) {
	t.Helper()
	for what, test := range map[string]struct{ before, after string }{
		"no file":                  {"", ""},
		"a file of a site":         {"# ours\n/srv/** r,\n", "# ours\n/srv/** r,\n"},
		"without an end of line":   {"/srv/** r,", "/srv/** r,\n"},
		"what an old version left": {"/a r,\n" + include + "/b r,\n", "/a r,\n/b r,\n"},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("APPARMORDIR", dir)
			file := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if test.before != "" {
				if err := os.WriteFile(file, []byte(test.before), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				run(t, ".", repository+"/packaging/apparmor/hook", "add")
			}
			text, err := os.ReadFile(file)
			if err != nil || strings.Count(string(text), include) != 1 {
				t.Errorf("with the hook: %v, %s", err, text)
			}
			run(t, ".", repository+"/packaging/apparmor/hook", "remove")
			if text, err := os.ReadFile(file); err != nil || string(text) != test.after {
				t.Errorf("without it: %v, %q, want %q", err, text, test.after)
			}
		})
	}
}
