// SPDX-License-Identifier: Apache-2.0

package mountpoint

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// becomeNobody has files be looked at as nobody, whom directories can be closed to, in this thread, which ends with the
// test; the directories are nobody's then.
func becomeNobody(t *testing.T, dirs ...string) {
	t.Helper()
	const nobody = 65534
	for _, dir := range dirs {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	runtime.LockOSThread()
	if err := unix.Setfsuid(nobody); err != nil {
		t.Fatal(err)
	}
}

// A mount below a directory that the emulator may not look into has its place all the same, with that directory
// covered.
func TestMake(t *testing.T) {
	dir := t.TempDir()
	if os.Geteuid() == 0 {
		becomeNobody(t, dir, filepath.Dir(dir))
	}
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
