// SPDX-License-Identifier: Apache-2.0

// Package lxcfs finds the files of lxcfs(1), a program that hosts may have: each takes the place of one below /proc and
// tells who reads it of the limits of the container that it is in. In: the root of the host; out: names of files that
// can be read, and inside mounts of them. The start of a container and virt-sandbox-init call it.
package lxcfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Dir is where lxcfs has its files.
const Dir = "/var/lib/lxcfs/proc"

// patience is how long lxcfs may take to answer. A read that it never answers would be for ever.
const patience = 2 * time.Second

// names returns the files of Dir that a container gets. They are what free, top, ps, uptime and iostat read.
func names() []string {
	return []string{"cpuinfo", "diskstats", "loadavg", "meminfo", "stat", "swaps", "uptime"}
}

// Find returns the names of the files below Dir that lxcfs serves; none where it is not there. An error says that it is
// there and does not do what it is for.
func Find(root string) ([]string, error) {
	type answer struct {
		files []string
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		files, err := find(root + Dir)
		answers <- answer{files, err}
	}()
	select {
	case a := <-answers:
		return a.files, a.err
	case <-time.After(patience):
		return nil, fmt.Errorf("read %s: lxcfs does not answer within %v; restart it", Dir, patience)
	}
}

func find(dir string) ([]string, error) {
	var stat unix.Statfs_t
	switch err := unix.Statfs(dir, &stat); {
	case errors.Is(err, unix.ENOTCONN):
		return nil, fmt.Errorf("read %s: lxcfs has ended without an unmount; restart it", Dir)
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, &os.PathError{Op: "look at", Path: dir, Err: err}
	case stat.Type != unix.FUSE_SUPER_MAGIC:
		return nil, nil
	}
	var files []string
	for _, name := range names() {
		err := check(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files = append(files, name)
	}
	return files, nil
}

// check reads the beginning of a file twice, since programs seek in those of /proc: one that does not let them is worse
// than the kernel's.
func check(file string) error {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	for range 2 {
		// Of swaps there may be no more than a heading, but that.
		if _, err := io.ReadFull(f, make([]byte, 1)); err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("seek in %s: %w", file, err)
		}
	}
	return nil
}
