// SPDX-License-Identifier: Apache-2.0

package filetree

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// RemoveAll is os.RemoveAll that also gets rid of what root in the container made immutable with chattr(1).
func RemoveAll(dir string) error {
	err := os.RemoveAll(dir)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	parent, openErr := os.OpenRoot(filepath.Dir(dir))
	if openErr != nil {
		return err
	}
	defer parent.Close()
	if clearErr := makeMutable(parent, filepath.Base(dir)); clearErr != nil {
		return errors.Join(err, clearErr)
	}
	return os.RemoveAll(dir)
}

// makeMutable takes the flags that keep a file from being removed from everything at and below parent/name. It does not
// use fs.WalkDir, which refuses names that are not UTF-8.
func makeMutable(parent *os.Root, name string) error {
	info, err := parent.Lstat(name)
	if err != nil || (!info.IsDir() && !info.Mode().IsRegular()) {
		return err
	}
	f, err := parent.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	const keeping = unix.STATX_ATTR_IMMUTABLE | unix.STATX_ATTR_APPEND
	if flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS); err == nil && flags&keeping != 0 {
		if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags&^keeping)); err != nil {
			return &os.PathError{Op: "make mutable", Path: f.Name(), Err: err}
		}
	}
	if !info.IsDir() {
		return nil
	}
	dir, err := parent.OpenRoot(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := ReadNames(dir)
	if err != nil {
		return err
	}
	for _, child := range names {
		if err := makeMutable(dir, child); err != nil {
			return err
		}
	}
	return nil
}
