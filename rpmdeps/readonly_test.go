// SPDX-License-Identifier: Apache-2.0

package rpmdeps

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestChangesNothing takes the content of the directory before and after every kind of use.
func TestChangesNothing(t *testing.T) {
	eachFormat(t, func(t *testing.T, dir string) {
		before := contentOf(t, dir)
		useAll(t, dir)
		if after := contentOf(t, dir); !maps.Equal(before, after) {
			t.Errorf("%d files became %d, or changed", len(before), len(after))
		}
	})
}

// contentOf returns the digest of each file but those in which sqlite notes who reads.
func contentOf(t *testing.T, dir string) map[string][sha256.Size]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	digests := make(map[string][sha256.Size]byte)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "-shm") || strings.HasSuffix(e.Name(), "-wal") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		digests[e.Name()] = sha256.Sum256(data)
	}
	return digests
}

func useAll(t *testing.T, dir string) {
	t.Helper()
	ctx := context.Background()
	db, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if owners, err := db.Owners(ctx, webUnit); err != nil || len(owners[webUnit]) != 1 {
		t.Errorf("owners: %v, %v", owners, err)
	}
	if tally, err := db.Tally(ctx, "/etc"); err != nil || tally["/etc"]["mod_ssl"] != 2 {
		t.Errorf("tally: %v, %v", tally, err)
	}
	if _, err := db.Package(ctx, "httpd"); err != nil {
		t.Errorf("package: %v", err)
	}
}

// TestReadsTheLog has a change that sqlite has only in its log, as when rpm was killed.
func TestReadsTheLog(t *testing.T) {
	host, killed := hostDatabase(t), t.TempDir()
	rpm, err := sql.Open("sqlite", filepath.Join(host, "rpmdb.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	defer rpm.Close()
	if _, err := rpm.Exec("UPDATE Name SET key = 'renamed' WHERE key = 'httpd'"); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"rpmdb.sqlite", "rpmdb.sqlite-shm", "rpmdb.sqlite-wal"} {
		copyFile(t, filepath.Join(host, file), filepath.Join(killed, file))
	}
	t.Run("unreadable", func(t *testing.T) {
		dir := t.TempDir()
		for _, file := range []string{"rpmdb.sqlite", "rpmdb.sqlite-wal"} {
			copyFile(t, filepath.Join(host, file), filepath.Join(dir, file))
		}
		lock(t, dir, 0o555)
		asNobody(func() {
			if db, err := Open(dir); err == nil {
				db.Close()
				t.Error("the database was opened as if there were no log")
			}
		})
	})
	for name, dir := range map[string]string{"rpm still runs": host, "rpm was killed": killed} {
		t.Run(name, func(t *testing.T) {
			before := contentOf(t, dir)
			db, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Package(context.Background(), "renamed"); err != nil {
				t.Error(err)
			}
			db.Close()
			if !maps.Equal(before, contentOf(t, dir)) {
				t.Error("the database was changed")
			}
		})
	}
}

// TestUnwritableDirectory is a database on a read-only file system, or the copy of its one file: sqlite can't make the
// files beside it that it wants.
func TestUnwritableDirectory(t *testing.T) {
	host := hostDatabase(t)
	tests := []struct {
		name  string
		mode  os.FileMode
		files []string
	}{
		{"the one file, where the others can be made", 0o777, []string{"rpmdb.sqlite"}},
		{"the one file", 0o555, []string{"rpmdb.sqlite"}},
		{"as rpm leaves it", 0o555, []string{"rpmdb.sqlite", "rpmdb.sqlite-shm", "rpmdb.sqlite-wal"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range test.files {
				copyFile(t, filepath.Join(host, file), filepath.Join(dir, file))
			}
			lock(t, dir, test.mode)
			asNobody(func() {
				if f, err := os.Create(filepath.Join(dir, "probe")); err == nil {
					f.Close()
					if test.mode == 0o555 {
						t.Fatal("the directory is writable")
					}
				}
				useAll(t, dir)
			})
		})
	}
}

// lock lets everyone read the files of a directory, to which mode applies until the end of the test.
func lock(t *testing.T, dir string, mode os.FileMode) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	for _, file := range files {
		err = errors.Join(err, os.Chmod(file, 0o444))
	}
	if err = errors.Join(err, os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, mode)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir, 0o755) })
}

// asNobody keeps the root user's right to write everywhere from hiding a failure. The file system's user is each
// thread's own.
func asNobody(f func()) {
	const nobody = 65534
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if before, err := unix.SetfsuidRetUid(nobody); err == nil {
		defer unix.SetfsuidRetUid(before)
	}
	f()
}
