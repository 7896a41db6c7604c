// SPDX-License-Identifier: Apache-2.0

package filetree

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/openat"
)

// TestWalk: links are visited and not followed.
func TestWalk(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	for _, p := range []string{dir + "/a/b", dir + "/c"} {
		if err := os.MkdirAll(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(outside+"/secret", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, dir+"/c/link"); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var got []string
	err := Walk(t.Context(), dir, func(_ int, at *Location) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, strings.TrimPrefix(at.String(), dir))
		return nil
	}, nil)
	slices.Sort(got)
	if want := []string{"", "/a", "/a/b", "/c", "/c/link"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	stop := errors.New("stop")
	err = Walk(t.Context(), dir, func(_ int, at *Location) error {
		if at.Name == "b" {
			return stop
		}
		return nil
	}, nil)
	if !errors.Is(err, stop) {
		t.Errorf("the first error: got %v", err)
	}
}

func TestOpenIn(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(dir+"/d", 0o755), os.WriteFile(dir+"/d/f", nil, 0o600), os.Symlink("d",
		dir+"/link")); err != nil {
		t.Fatal(err)
	}
	parent, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(parent)
	for p, found := range map[string]bool{"d/f": true, "link": true, "link/f": false, "absent": false, "d/../..": false} {
		fd, err := openat.In(parent, p)
		if (fd >= 0) != found {
			t.Errorf("%s: got %d, %v", p, fd, err)
		}
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// TestDataCopy copies a file with a hole: its sums are those of what a reader would see.
func TestDataCopy(t *testing.T) {
	dir := t.TempDir()
	from, err := os.Create(dir + "/from")
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	if _, err := from.WriteAt([]byte("end"), 3<<20); err != nil {
		t.Fatal(err)
	}
	to, err := os.Create(dir + "/to")
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(from.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	sums := NewSums("md5:")
	job := DataCopy{
		Ctx: t.Context(), From: int(from.Fd()), To: int(to.Fd()), Sums: sums, Buffer: make([]byte, BufferSize),
	}
	if err := job.Run(&stat); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(dir + "/to")
	if err != nil {
		t.Fatal(err)
	}
	want := NewHash("sha256:")
	want.Write(append(make([]byte, 3<<20), "end"...))
	have := NewHash("sha256:")
	have.Write(data)
	if sums.Own.String() != want.String() || have.String() != want.String() {
		t.Errorf("sums say %s and the copy is %s, want %s", sums.Own, have, want)
	}
	if got := sums.Native.String(); !strings.HasPrefix(got, "md5:") {
		t.Errorf("the package's digest is %s", got)
	}
	if NewHash("crc32:") != nil {
		t.Error("an unknown algorithm has a digester")
	}
}

func TestWithoutPath(t *testing.T) {
	_, err := os.Open(filepath.Join(t.TempDir(), "\x1b"))
	if got := WithoutPath(err); !errors.Is(got, fs.ErrNotExist) || strings.Contains(got.Error(), "\x1b") {
		t.Errorf("got %v", got)
	}
	if err := errors.New("other"); WithoutPath(err) != err {
		t.Error("another error was changed")
	}
}
