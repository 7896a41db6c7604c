// SPDX-License-Identifier: Apache-2.0

package account

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Members of a group read a file that is shared, and pass through a directory without seeing what is in it; nobody else
// gains anything.
func TestShare(t *testing.T) {
	const group = 12345
	if os.Geteuid() != 0 {
		t.Skip("root alone gives files to groups")
	}
	dir := filepath.Join(t.TempDir(), "dir")
	file := filepath.Join(dir, "file")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o710, file: 0o640} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := shareWith(f, group); err != nil {
			t.Error(err)
		}
		info, err := f.Stat()
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		owner := info.Sys().(*syscall.Stat_t)
		if info.Mode().Perm() != want || owner.Gid != group || owner.Uid != 0 {
			t.Errorf("%s: %v of %d:%d", path, info.Mode(), owner.Uid, owner.Gid)
		}
	}
	if err := Share(dir + "/none"); err == nil {
		t.Error("what is not there was shared")
	}
}
