// SPDX-License-Identifier: Apache-2.0

package filetree

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/openat"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// levelsAtOnce is how many directories below each other are open while a tree is removed. What lies deeper is moved up
// first, so that a tree of any depth goes with few descriptors and a small stack.
const levelsAtOnce = 64

// RemoveAll is os.RemoveAll for what root in a container made: trees deeper than descriptors go, directories with more
// names than fit into memory, and what is immutable (chattr(1)). Nothing that is mounted in it goes: the error is
// unix.EBUSY or unix.EXDEV then.
func RemoveAll(dir string) error {
	parent, err := unix.Open(filepath.Dir(dir), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: filepath.Dir(dir), Err: err}
	}
	defer unix.Close(parent)
	r := remover{top: -1}
	defer func() {
		if r.top >= 0 {
			unix.Close(r.top)
		}
	}()
	if err := r.remove(parent, filepath.Base(dir), 0); err != nil {
		return &os.PathError{Op: "remove", Path: printable.Quoted(dir), Err: err}
	}
	return nil
}

// remover removes one tree.
type remover struct {
	top   int // the tree's first directory, to which is moved what lies too deep
	moved int // how many were
}

// remove removes one name with all that it has below. Those that are gone already are no error.
func (r *remover) remove(parent int, name string, depth int) error {
	err := mutable(parent, name, func() error { return unix.Unlinkat(parent, name, 0) })
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// POSIX has EPERM for a directory, Linux EISDIR.
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return err
	}
	err = r.removeDir(parent, name)
	if !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.EEXIST) {
		return err
	}
	if depth >= levelsAtOnce {
		return r.moveUp(parent, name)
	}
	for {
		if err := r.empty(parent, name, depth); err != nil {
			return err
		}
		// What lay too deep is in the top directory by now.
		err := r.removeDir(parent, name)
		if depth > 0 || !errors.Is(err, unix.ENOTEMPTY) {
			return err
		}
	}
}

func (r *remover) removeDir(parent int, name string) error {
	err := mutable(parent, name, func() error { return unix.Unlinkat(parent, name, unix.AT_REMOVEDIR) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// empty removes what a directory has.
func (r *remover) empty(parent int, name string, depth int) error {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
	}
	fd, err := openat.Openat2(parent, name, &how)
	if err != nil {
		return err
	}
	if depth == 0 && r.top < 0 {
		if r.top, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3); err != nil {
			unix.Close(fd)
			return err
		}
	}
	dir := os.NewFile(uintptr(fd), printable.Quoted(name))
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(namesAtOnce)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, child := range names {
			if err := r.remove(fd, child, depth+1); err != nil {
				return fmt.Errorf("%s: %w", printable.Short(child, 255), err)
			}
		}
		// Names that were not read yet may be passed over when others go.
		if _, err := dir.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
}

// moveUp moves a directory to the top, under a name that is free there.
func (r *remover) moveUp(parent int, name string) error {
	for {
		r.moved++
		err := mutable(parent, name, func() error {
			return unix.Renameat2(parent, name, r.top, fmt.Sprintf(".virt-sandbox-deep-%d", r.moved), unix.RENAME_NOREPLACE)
		})
		if !errors.Is(err, unix.EEXIST) {
			return err
		}
	}
}

// mutable changes something of a name in a directory. Where it may not, since either is immutable or can only be added
// to, that is ended first.
func mutable(parent int, name string, change func() error) error {
	err := change()
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	if errors.Join(makeMutable(parent, "."), makeMutable(parent, name)) != nil {
		return err
	}
	return change()
}

// makeMutable ends what keeps a file or directory from being changed.
func makeMutable(parent int, name string) error {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
	}
	var stat unix.Stat_t
	if err := unix.Fstatat(parent, name, &stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if kind := stat.Mode & unix.S_IFMT; kind != unix.S_IFDIR && kind != unix.S_IFREG {
		return nil
	}
	fd, err := openat.Openat2(parent, name, &how)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	const keeping = unix.STATX_ATTR_IMMUTABLE | unix.STATX_ATTR_APPEND
	flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	if err != nil || flags&keeping == 0 {
		return nil
	}
	return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(flags&^keeping))
}
