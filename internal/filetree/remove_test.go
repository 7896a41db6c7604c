// SPDX-License-Identifier: Apache-2.0

package filetree

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// gone removes a tree and sees that it is.
func gone(t *testing.T, dir string) {
	t.Helper()
	if err := RemoveAll(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestRemoveAll(t *testing.T) {
	at := t.TempDir()
	dir, outside := at+"/tree", at+"/outside"
	err := errors.Join(os.MkdirAll(dir+"/a/b", 0o755), os.WriteFile(dir+"/a/\xff", nil, 0o600), os.Mkdir(outside, 0o755),
		os.WriteFile(outside+"/kept", nil, 0o600), os.Symlink(outside, dir+"/a/link"), unix.Mkfifo(dir+"/a/pipe", 0o600),
		os.Mkdir(dir+"/a/closed", 0o700), os.WriteFile(dir+"/a/closed/file", nil, 0), os.Chmod(dir+"/a/closed", 0o700))
	if err != nil {
		t.Fatal(err)
	}
	gone(t, dir)
	gone(t, dir)
	gone(t, at+"/absent/tree")
	if _, err := os.Lstat(outside + "/kept"); err != nil {
		t.Errorf("a link was followed: %v", err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	gone(t, dir)
}

// nest makes directories below each other, so many, with a file in each hundredth.
func nest(t *testing.T, dir string, levels int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for level := 0; level < levels && err == nil; level++ {
		if err = unix.Mkdirat(at, "d", 0o755); err != nil {
			break
		}
		var next int
		next, err = unix.Openat(at, "d", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		unix.Close(at)
		at = next
		if err == nil && level%100 == 0 {
			err = unix.Mkfifoat(at, "pipe", 0o600)
		}
	}
	unix.Close(at)
	if err != nil {
		t.Fatal(err)
	}
}

// A tree that is deeper than a process may have files open is removed.
func TestRemoveDeepTree(t *testing.T) {
	dir, levels := t.TempDir()+"/tree", 21_000
	if testing.Short() {
		levels = 3000
	}
	nest(t, dir, levels)
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	limited := unix.Rlimit{Cur: 256, Max: before.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limited); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &before) }()
	// A name that what is moved up would have.
	if err := os.MkdirAll(dir+"/.virt-sandbox-deep-1/full", 0o755); err != nil {
		t.Fatal(err)
	}
	gone(t, dir)
}

// A directory of many names is removed in bounded memory.
func TestRemoveManyNames(t *testing.T) {
	dir := t.TempDir() + "/tree"
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 5000 {
		if err := os.WriteFile(dir+"/"+strconv.Itoa(i)+strings.Repeat("x", 200), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gone(t, dir)
}

// What root in a container made immutable goes too.
func TestRemoveImmutable(t *testing.T) {
	dir := t.TempDir() + "/tree"
	if err := errors.Join(os.MkdirAll(dir+"/a/b", 0o755), os.WriteFile(dir+"/a/b/file", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/a/b/file", "/a/b", "/a", ""} {
		f, err := os.Open(dir + p)
		if err != nil {
			t.Fatal(err)
		}
		err = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, unix.STATX_ATTR_IMMUTABLE)
		f.Close()
		if err != nil {
			t.Skipf("it cannot be made immutable here: %v", err)
		}
	}
	gone(t, dir)
}
