// SPDX-License-Identifier: Apache-2.0

package generator

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"

	"golang.org/x/sys/unix"
)

// Directories are those that systemd gives a generator.
type Directories struct {
	normal, early, late int
	temporary           string // suffix of files that are not complete yet
}

// OpenDirectories opens the generator directories.
func OpenDirectories(normal, early, late string) (*Directories, error) {
	d := &Directories{normal: -1, early: -1, late: -1, temporary: ".new" + strconv.Itoa(os.Getpid())}
	for _, one := range []struct {
		fd   *int
		name string
	}{{&d.normal, normal}, {&d.early, early}, {&d.late, late}} {
		var err error
		if *one.fd, err = openDirectory(one.name); err != nil {
			d.Close()
			return nil, err
		}
	}
	return d, nil
}

func openDirectory(name string) (int, error) {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open generator directory %s: %w", name, err)
	}
	return fd, nil
}

// Close closes the directories.
func (d *Directories) Close() {
	for _, fd := range []int{d.normal, d.early, d.late} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// Put implements Sink. Reloads overlap, so what appears is complete: a file is written under a temporary name first.
func (d *Directories) Put(f File) error {
	top := d.normal
	switch {
	case f.Late:
		top = d.late
	case f.Early:
		top = d.early
	}
	if err := d.put(top, f); err != nil {
		return fmt.Errorf("write unit %s: %w", f.Path, err)
	}
	return nil
}

func (d *Directories) put(top int, f File) error {
	if dir := path.Dir(f.Path); dir != "." {
		if err := unix.Mkdirat(top, dir, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
	}
	if f.Link != "" {
		if err := unix.Symlinkat(f.Link, top, f.Path); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
		return nil
	}
	temporary := path.Join(path.Dir(f.Path), "."+path.Base(f.Path)+d.temporary)
	if err := write(top, temporary, f.Text); err != nil {
		_ = unix.Unlinkat(top, temporary, 0)
		return err
	}
	return unix.Renameat(top, temporary, top, f.Path)
}

func write(top int, name string, text []byte) error {
	fd, err := unix.Openat(top, name, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return err
	}
	for len(text) > 0 {
		n, err := unix.Write(fd, text)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			unix.Close(fd)
			return err
		}
		text = text[n:]
	}
	return unix.Close(fd)
}
