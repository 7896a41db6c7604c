// SPDX-License-Identifier: Apache-2.0

package mountpoint

import (
	"os"
	"slices"
	"testing"
)

// A mount below a directory that the emulator may not look into has its place all the same, with that directory
// covered.
func TestMake(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may look into every directory")
	}
	dir := t.TempDir()
	for _, name := range []string{"/open", "/closed", "/closed/in"} {
		if err := os.Mkdir(dir+name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir+"/closed", 0); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		target string
		covers []string
	}{{"/open/a/b", nil}, {"/open", nil}, {"/closed", nil}, {"/closed/in/a", []string{dir + "/closed"}}} {
		var covered []string
		err := Make(dir+c.target, func(p string) error {
			covered = append(covered, p)
			return os.Chmod(p, 0o755)
		})
		if err != nil || !slices.Equal(covered, c.covers) {
			t.Errorf("%s: covered %q, %v", c.target, covered, err)
		}
		if info, err := os.Stat(dir + c.target); err != nil || !info.IsDir() {
			t.Errorf("%s: %v", c.target, err)
		}
	}
}
