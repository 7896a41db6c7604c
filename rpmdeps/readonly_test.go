package rpmdeps

import (
	"context"
	"crypto/sha256"
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

// contentOf gives the digest of each file but those in which sqlite notes who reads.
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
				chmod(t, filepath.Join(dir, file), 0o444)
			}
			chmod(t, filepath.Dir(dir), 0o755)
			chmod(t, dir, test.mode)
			t.Cleanup(func() { os.Chmod(dir, 0o755) })
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

func chmod(t *testing.T, file string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
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
