// SPDX-License-Identifier: Apache-2.0

package roottree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
)

// step is how one component of a path is opened: itself, whatever it is, and nothing that it leads to.
const step = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC

// openBelow opens a path below a directory that a container may have changed: no link is followed, and nothing leads
// out.
func openBelow(dir int, name string) (int, error) {
	relative := strings.TrimPrefix(path.Clean("/"+name), "/")
	if relative == "" {
		relative = "."
	}
	fd, err := unix.Openat2(dir, relative, &unix.OpenHow{
		Flags:   step,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return -1, ofLink(name, err)
	}
	// The last component may be a link itself, which O_PATH opens.
	var stat unix.Stat_t
	if err = unix.Fstat(fd, &stat); err == nil && stat.Mode&unix.S_IFMT == unix.S_IFLNK {
		err = ofLink(name, unix.ELOOP)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// ofLink says what a link on the way means: root in the container can have put it there.
func ofLink(name string, err error) error {
	if errors.Is(err, unix.ELOOP) {
		return fmt.Errorf("%s leads through a symbolic link, which is not followed; name the place itself, or remove the "+
			"link", name)
	}
	return &os.PathError{Op: "open", Path: name, Err: err}
}

// openPoint opens a mount point of the tree. What lies in memory of the tree's own, or in its overlay, is made.
func (b *builder) openPoint(target string, isDir bool) (int, error) {
	components := strings.Split(strings.TrimPrefix(path.Clean(target), "/"), "/")
	switch components[0] {
	case "", "dev", "proc", "sys":
		return -1, fmt.Errorf("nothing can be mounted at %s; choose another place", target)
	}
	point, err := openBelow(b.root, target)
	if !errors.Is(err, fs.ErrNotExist) {
		return point, err
	}
	dir, err := openBelow(b.root, "/")
	if err != nil {
		return -1, err
	}
	for i, name := range components {
		next, err := openBelow(dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			// Root of the container, since in an overlay the host's is nobody.
			err = namespace.WithRootOf(b.content.IDs.Base, func() (err error) {
				next, err = b.makePoint(dir, name, isDir || i < len(components)-1)
				return err
			})
		}
		unix.Close(dir)
		if err != nil {
			return -1, fmt.Errorf("find a place for it: %w", err)
		}
		dir = next
	}
	return dir, nil
}

// makePoint makes a directory or an empty file to mount on, where the directory lies in a file system that was made for
// this tree.
func (b *builder) makePoint(dir int, name string, isDir bool) (int, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(dir, &stat); err != nil {
		return -1, err
	}
	if !b.own[stat.Dev] {
		return -1, &os.PathError{Op: "open", Path: name, Err: unix.ENOENT}
	}
	if isDir {
		if err := b.mkdir(dir, name, 0o755); err != nil {
			return -1, err
		}
		return openBelow(dir, name)
	}
	file, err := unix.Openat(dir, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return -1, &os.PathError{Op: "make", Path: name, Err: err}
	}
	unix.Close(file)
	return openBelow(dir, name)
}

// mkdir makes a directory of the container's root.
func (b *builder) mkdir(dir int, name string, mode uint32) error {
	if err := unix.Mkdirat(dir, name, mode); err != nil {
		return err
	}
	owner := int(b.content.IDs.Base)
	if err := unix.Fchownat(dir, name, owner, owner, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	// Whatever the umask is.
	return unix.Fchmodat(dir, name, mode, 0)
}
