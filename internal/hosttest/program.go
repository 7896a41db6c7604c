// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Main runs the tests of a package. The files of its hosts have the modes that they have on ordinary ones.
func Main(m *testing.M) {
	unix.Umask(0o022)
	os.Exit(m.Run())
}

// Program puts a file into the place where this test's program looks for one of ours: beside itself. It skips the test
// where it cannot.
func Program(t *testing.T, name string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(file); err == nil {
		return
	}
	if err := os.WriteFile(file, nil, 0o755); err != nil {
		t.Skipf("%s is looked for beside the test's program, where nothing can be put: %v", name, err)
	}
	t.Cleanup(func() { os.Remove(file) })
}
