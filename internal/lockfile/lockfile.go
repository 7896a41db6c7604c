// SPDX-License-Identifier: Apache-2.0

// Package lockfile serialises what several processes of virt-sandbox do to one sandbox, and reserves what is to be one
// sandbox's alone until its config names it. In: names, levels, ranges of ids. Out: locks, which the kernel frees when
// their process ends. All sandboxes share one file and lock bytes of it, so that no file for each name stays behind.
// Called by the verbs and by the allocations of levels and ids.
package lockfile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Path is the file's place below the root directory.
const Path = "/run/virt-sandbox.lock"

// File is the lock file. It may be used from several goroutines: each lock has an open file of its own.
type File struct {
	path string
	warn func(format string, args ...any)
}

// New returns the lock file below a root directory, "" for the host's own. warn is told of a lock that takes long; nil
// for nobody.
func New(root string, warn func(format string, args ...any)) *File {
	if warn == nil {
		warn = func(string, ...any) {}
	}
	return &File{path: root + Path, warn: warn}
}

// Lock is a part of the file that this process holds. It ends with Release, or with the process.
type Lock struct{ file *os.File }

// Release frees the lock. It does nothing for a lock that holds nothing, such as the zero value.
func (l *Lock) Release() {
	if l != nil && l.file != nil {
		l.file.Close()
	}
}

// Locks are locks that are freed together.
type Locks []*Lock

// Release frees them.
func (l Locks) Release() {
	for _, one := range l {
		one.Release()
	}
}

// Name waits until nobody else works on the sandbox of a name.
func (f *File) Name(ctx context.Context, name string) (*Lock, error) {
	return f.wait(ctx, nameByte(name), name)
}

// Names is Name for several, in an order in which no two commands wait for each other.
func (f *File) Names(ctx context.Context, names ...string) (Locks, error) {
	var locks Locks
	for _, name := range slices.Sorted(slices.Values(names)) {
		l, err := f.Name(ctx, name)
		if err != nil {
			locks.Release()
			return nil, err
		}
		locks = append(locks, l)
	}
	return locks, nil
}

// TryName is Name that does not wait; it returns nil when another process holds the name.
func (f *File) TryName(name string) (*Lock, error) { return f.try(nameByte(name), 1) }

// Images waits until nobody else claims images.
func (f *File) Images(ctx context.Context) (*Lock, error) { return f.wait(ctx, imageByte, "images") }

// wait locks a byte. what names it in a warning and in an error.
func (f *File) wait(ctx context.Context, offset int64, what string) (*Lock, error) {
	file, err := f.open()
	if err != nil {
		return nil, err
	}
	for begun, warned := time.Now(), false; ; {
		taken, err := tryBytes(file, offset, 1)
		if taken {
			return &Lock{file}, nil
		}
		if err != nil {
			file.Close()
			return nil, err
		}
		if !warned && time.Since(begun) > time.Second {
			f.warn("waiting for another command that works on %s", what)
			warned = true
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, fmt.Errorf("lock %s: %w", what, ctx.Err())
		// A process that has waited long asks less often and not in step: hundreds of them would keep the holder from
		// the CPU.
		case <-time.After(20*time.Millisecond + rand.N(1+min(time.Since(begun)/2, time.Second))):
		}
	}
}

// try locks bytes; it returns nil when another process holds one of them.
func (f *File) try(offset, length int64) (*Lock, error) {
	file, err := f.open()
	if err != nil {
		return nil, err
	}
	taken, err := tryBytes(file, offset, length)
	if err != nil || !taken {
		file.Close()
		return nil, err
	}
	return &Lock{file}, nil
}

func (f *File) open() (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	return file, nil
}

// tryBytes reports whether it has locked a part of the file, which it has not where another process holds some of it
// (fcntl(2), F_OFD_SETLK).
func tryBytes(file *os.File, offset, length int64) (bool, error) {
	region := unix.Flock_t{Type: unix.F_WRLCK, Whence: unix.SEEK_SET, Start: offset, Len: length}
	err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &region)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock bytes from %d of %s: %w", offset, file.Name(), err)
	}
	return true, nil
}
