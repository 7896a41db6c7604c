// SPDX-License-Identifier: Apache-2.0

package hostetc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/openat"
)

// errChanged is what of a scan is no more as it was.
var errChanged = errors.New("it has changed")

// maker copies what a scan found to a new directory, which nobody else writes to.
type maker struct {
	etc     *os.File
	target  string
	lenient bool // what has changed since the scan is left out
}

// all copies all entries. Errors: errChanged.
func (m *maker) all(s *scan) error {
	for i := range s.entries {
		err := m.entry(&s.entries[i])
		if err != nil && !(m.lenient && errors.Is(err, errChanged)) {
			return err
		}
	}
	// Last, since filling a directory changes its times and may need its permission.
	for i := len(s.entries) - 1; i >= 0; i-- {
		if e := &s.entries[i]; e.kind() == unix.S_IFDIR {
			if err := m.finish(e, e.stat.Mode&0o1777); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *maker) place(e *entry) string { return filepath.Join(m.target, e.path) }

func (m *maker) entry(e *entry) error {
	switch e.kind() {
	case unix.S_IFDIR:
		return os.Mkdir(m.place(e), 0o700)
	case unix.S_IFLNK:
		return m.link(e)
	}
	return m.file(e)
}

// open opens an entry of the host's, and holds it against the scan. No link on the way is followed.
func (m *maker) open(e *entry, flags uint64) (*os.File, error) {
	fd, err := openat.Openat2(int(m.etc.Fd()), e.path, &unix.OpenHow{
		Flags:   flags | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
			err = errChanged
		}
		return nil, err
	}
	f := os.NewFile(uintptr(fd), e.path)
	var stat unix.Stat_t
	err = unix.Fstat(fd, &stat)
	if err == nil && (stat.Ino != e.stat.Ino || stat.Dev != e.stat.Dev || stat.Ctim != e.stat.Ctim) {
		err = errChanged
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (m *maker) link(e *entry) error {
	f, err := m.open(e, unix.O_PATH)
	if err != nil {
		return err
	}
	defer f.Close()
	buffer := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(f.Fd()), "", buffer)
	if err != nil {
		return err
	}
	if err := os.Symlink(string(buffer[:n]), m.place(e)); err != nil {
		return err
	}
	if err := os.Lchown(m.place(e), int(e.stat.Uid), int(e.stat.Gid)); err != nil {
		return err
	}
	return m.times(e)
}

func (m *maker) file(e *entry) error {
	f, err := m.open(e, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return err
	}
	if len(data) > maxFile {
		return errChanged
	}
	if isSecret(e.path, data) {
		return nil
	}
	if e.path == "passwd" || e.path == "group" {
		data = withoutHashes(data)
	}
	if err := os.WriteFile(m.place(e), data, 0o600); err != nil {
		return err
	}
	return m.finish(e, e.stat.Mode&0o777)
}

// finish gives a file or directory the attributes of the host's. Rights that a program gives to others it has not.
func (m *maker) finish(e *entry, mode uint32) error {
	err := os.Chown(m.place(e), int(e.stat.Uid), int(e.stat.Gid))
	if err == nil {
		err = unix.Chmod(m.place(e), mode)
	}
	if err != nil || e.closed {
		return err
	}
	return m.times(e)
}

// times keeps the time of change: some programs compare those of two files.
func (m *maker) times(e *entry) error {
	times := []unix.Timespec{e.stat.Mtim, e.stat.Mtim}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, m.place(e), times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set times: %w", err)
	}
	return nil
}
