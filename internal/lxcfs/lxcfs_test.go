// SPDX-License-Identifier: Apache-2.0

package lxcfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// TestFindNone: where no lxcfs is mounted there are no files of its, whatever lies in its place.
func TestFindNone(t *testing.T) {
	root := t.TempDir()
	for range 2 {
		if files, err := Find(root); len(files) > 0 || err != nil {
			t.Errorf("found %q, %v", files, err)
		}
		if err := os.MkdirAll(root+Dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root+Dir+"/meminfo", []byte("MemTotal: 1 kB\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFind finds the files of a lxcfs that runs on this machine.
func TestFind(t *testing.T) {
	if _, err := os.Stat(Dir + "/meminfo"); err != nil {
		t.Skip("no lxcfs runs here")
	}
	files, err := Find("")
	if err != nil || !slices.Contains(files, "meminfo") || !slices.Contains(files, "uptime") {
		t.Errorf("found %q, %v", files, err)
	}
}

// TestCheck: a file in which programs cannot seek is worse than the kernel's own, as an empty one is.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	good, empty, pipe := filepath.Join(dir, "good"), filepath.Join(dir, "empty"), filepath.Join(dir, "pipe")
	err := errors.Join(os.WriteFile(good, []byte("x\n"), 0o600), os.WriteFile(empty, nil, 0o600),
		syscall.Mkfifo(pipe, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if err := check(good); err != nil {
		t.Error(err)
	}
	if err := check(empty); err == nil {
		t.Error("an empty file passes")
	}
	if err := check(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
	// One end for writing, so that opening and reading do not wait for it.
	w, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.WriteString("xy"); err != nil {
		t.Fatal(err)
	}
	if err := check(pipe); !errors.Is(err, syscall.ESPIPE) {
		t.Errorf("a pipe: %v", err)
	}
}
