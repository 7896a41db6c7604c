package content

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// removeAll is os.RemoveAll that also gets rid of what root in the container made immutable with chattr(1).
func removeAll(dir string) error {
	err := os.RemoveAll(dir)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	root, openErr := os.OpenRoot(filepath.Dir(dir))
	if openErr != nil {
		return err
	}
	defer root.Close()
	walkErr := fs.WalkDir(root.FS(), filepath.Base(dir), func(p string, entry fs.DirEntry, err error) error {
		if err != nil || (!entry.IsDir() && !entry.Type().IsRegular()) {
			return err
		}
		f, err := root.OpenFile(p, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
		if err != nil || flags&(unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_APPEND) == 0 {
			return nil
		}
		return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags&^(unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_APPEND)))
	})
	if walkErr != nil {
		return errors.Join(err, walkErr)
	}
	return os.RemoveAll(dir)
}
