package helper

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A copy has the same bytes and holes, on the same file system and another; nothing is overwritten, and no half copy stays.
func TestCopyImage(t *testing.T) {
	const size = 256 << 20
	for _, dirs := range [][2]string{{t.TempDir(), t.TempDir()}, {t.TempDir(), "/dev/shm"}} {
		from, to := filepath.Join(dirs[0], "from.raw"), filepath.Join(dirs[1], "virt-sandbox-test-copy.raw")
		t.Cleanup(func() { os.Remove(to) })
		f, err := os.Create(from)
		if err != nil {
			t.Fatal(err)
		}
		piece := bytes.Repeat([]byte("data"), 1<<18)
		for _, at := range []int64{0, 100 << 20, 200<<20 + 4096} {
			if _, err := f.WriteAt(piece, at); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
			t.Fatal(err)
		}
		if err := CopyImage(context.Background(), from, to); err != nil {
			t.Fatal(err)
		}
		if !sameBytes(t, from, to) {
			t.Error("the copy differs")
		}
		var stat unix.Stat_t
		if err := unix.Stat(to, &stat); err != nil || stat.Size != size || stat.Blocks*512 > 16<<20 || stat.Mode&0o777 != 0o600 {
			t.Errorf("the copy has %d bytes, %d on the disk, mode %o, %v", stat.Size, stat.Blocks*512, stat.Mode, err)
		}
		if err := CopyImage(context.Background(), from, to); !errors.Is(err, os.ErrExist) {
			t.Errorf("over another file: %v", err)
		}
		os.Remove(to)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := CopyImage(ctx, from, to); err == nil {
			// A reflink is done before anybody could cancel it.
			os.Remove(to)
		} else if _, err := os.Lstat(to); err == nil {
			t.Error("half a copy is left")
		}
	}
}

func sameBytes(t *testing.T, a, b string) bool {
	t.Helper()
	var content [2][]byte
	for i, name := range []string{a, b} {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if content[i], err = io.ReadAll(f); err != nil {
			t.Fatal(err)
		}
	}
	return bytes.Equal(content[0], content[1])
}
