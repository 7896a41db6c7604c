// SPDX-License-Identifier: Apache-2.0

package filetree

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/openat"
)

// CopyAttributes sets on the target the owner, extended attributes, mode and times of the source.
func CopyAttributes(source, target int, s *unix.Stat_t) error {
	return AttributesOfStat(s).Give(target, func() error { return copyXattrs(source, target) })
}

// Attributes are those that every file has.
type Attributes struct {
	Uid, Gid uint32
	Mode     uint32
	Times    []unix.Timespec // of access and of change
}

// Give sets them on a file, and xattrs the extended ones, in the order in which none undoes another: chown clears
// set-user-ID bits and capabilities, and the times come last since they mark a finished copy.
func (a Attributes) Give(target int, xattrs func() error) error {
	if err := unix.Fchown(target, int(a.Uid), int(a.Gid)); err != nil {
		return err
	}
	if err := xattrs(); err != nil {
		return err
	}
	if err := unix.Fchmod(target, a.Mode&0o7777); err != nil {
		return err
	}
	// The descriptor's own link in /proc sets times without a name that could have been exchanged.
	return unix.UtimesNanoAt(unix.AT_FDCWD, OwnLink(target), a.Times, 0)
}

// AttributesOfStat returns the attributes in what fstat(2) says.
func AttributesOfStat(s *unix.Stat_t) Attributes {
	return Attributes{s.Uid, s.Gid, s.Mode, []unix.Timespec{s.Atim, s.Mtim}}
}

// copyXattrs copies extended attributes but SELinux labels, which the sandbox has of its own, and what the kernel notes
// of layers.
func copyXattrs(source, target int) error {
	return EachXattr(source, func(name string, value []byte) error {
		if name == LabelAttribute || IsLayerNote(name) {
			return nil
		}
		if err := unix.Fsetxattr(target, name, value, 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
			return fmt.Errorf("copy extended attribute %s: %w", name, err)
		}
		return nil
	})
}

// EachXattr calls visit for each extended attribute of a file (xattr(7)).
func EachXattr(source int, visit func(name string, value []byte) error) error {
	// Most files have none: a buffer for the most that the kernel keeps would be cleared for nothing.
	n, err := unix.Flistxattr(source, nil)
	if errors.Is(err, unix.ENOTSUP) || err == nil && n == 0 {
		return nil
	}
	const most = 64 << 10
	list, value := make([]byte, most), make([]byte, most)
	if err == nil {
		n, err = unix.Flistxattr(source, list)
	}
	if err != nil {
		return fmt.Errorf("list extended attributes: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(list[:n]), "\x00"), "\x00") {
		size, err := unix.Fgetxattr(source, name, value)
		if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENODATA) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read extended attribute %s: %w", name, err)
		}
		if err := visit(name, value[:size]); err != nil {
			return err
		}
	}
	return nil
}

// MakePipe makes a named pipe in a directory.
func MakePipe(dir int, name string, a Attributes) error {
	if err := unix.Mkfifoat(dir, name, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	fd, err := openat.In(dir, name)
	if fd < 0 {
		return cmp.Or(err, fs.ErrNotExist)
	}
	defer unix.Close(fd)
	if err := unix.Fchownat(fd, "", int(a.Uid), int(a.Gid), unix.AT_EMPTY_PATH); err != nil {
		return err
	}
	if err := unix.Fchmodat(unix.AT_FDCWD, OwnLink(fd), a.Mode&0o7777, 0); err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, OwnLink(fd), a.Times, 0)
}
