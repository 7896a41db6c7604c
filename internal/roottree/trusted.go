// SPDX-License-Identifier: Apache-2.0

package roottree

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// mostLinks bounds the symbolic links of one path, as the kernel does (path_resolution(7)).
const mostLinks = 40

// inode tells a directory from all others of the host.
type inode struct{ dev, ino uint64 }

// openTrusted opens a path of the host that the administrator has named. A symbolic link on the way is followed where
// only the host's root can have put it there: not from a directory that others write to, nor from below one that a
// container has as its own.
func (b *builder) openTrusted(name string) (int, error) {
	w := way{name: name, left: components(name), content: b.content, passed: make(map[inode]bool)}
	if err := w.restart(); err != nil {
		return -1, err
	}
	for len(w.left) > 0 {
		if err := w.next(); err != nil {
			unix.Close(w.at)
			return -1, err
		}
	}
	return w.at, nil
}

// way is a walk along a path, one component at a time.
type way struct {
	name    string
	at      int      // the directory or file that it has come to
	left    []string // components still to go
	links   int      // that were followed
	content *Content
	passed  map[inode]bool // directories that it came through
}

// isForeign reports whether it came through a directory that a container writes to.
func (w *way) isForeign() bool {
	dirs := w.content.Untrusted
	if w.content.Others != nil {
		dirs = append(slices.Clone(dirs), w.content.Others()...)
	}
	return slices.ContainsFunc(dirs, func(dir string) bool {
		var stat unix.Stat_t
		return unix.Stat(dir, &stat) == nil && w.passed[inode{stat.Dev, stat.Ino}]
	})
}

// restart goes to the root.
func (w *way) restart() (err error) {
	if w.at, err = unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return &os.PathError{Op: "open", Path: "/", Err: err}
	}
	return nil
}

// next goes one component on.
func (w *way) next() error {
	name := w.left[0]
	w.left = w.left[1:]
	var here, there unix.Stat_t
	if err := unix.Fstat(w.at, &here); err != nil {
		return &os.PathError{Op: "stat", Path: w.name, Err: err}
	}
	w.passed[inode{here.Dev, here.Ino}] = true
	fd, err := unix.Openat(w.at, name, step, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: w.name, Err: err}
	}
	if err := unix.Fstat(fd, &there); err != nil {
		unix.Close(fd)
		return &os.PathError{Op: "stat", Path: w.name, Err: err}
	}
	if there.Mode&unix.S_IFMT != unix.S_IFLNK {
		unix.Close(w.at)
		w.at = fd
		return nil
	}
	defer unix.Close(fd)
	if w.links++; w.links > mostLinks {
		return &os.PathError{Op: "open", Path: w.name, Err: unix.ELOOP}
	}
	if here.Uid != 0 || here.Mode&0o022 != 0 || w.isForeign() {
		return fmt.Errorf("%s leads through a symbolic link, %s, in a directory that others than the host's root write to; "+
			"name the place itself", w.name, name)
	}
	return w.follow(fd)
}

// follow goes where an open link leads.
func (w *way) follow(link int) error {
	var buffer [unix.PathMax]byte
	n, err := unix.Readlinkat(link, "", buffer[:])
	if err != nil {
		return &os.PathError{Op: "readlink", Path: w.name, Err: err}
	}
	target := string(buffer[:n])
	w.left = append(components(target), w.left...)
	if !path.IsAbs(target) {
		return nil
	}
	unix.Close(w.at)
	return w.restart()
}

// components splits a path. ".." stays, since what it means depends on links before it.
func components(name string) []string {
	var list []string
	for c := range strings.SplitSeq(name, "/") {
		if c != "" && c != "." {
			list = append(list, c)
		}
	}
	return list
}
