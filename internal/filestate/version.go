// SPDX-License-Identifier: Apache-2.0

package filestate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
)

// Kind is what lies at a path.
type Kind int

const (
	KindAbsent Kind = iota
	KindFile
	KindSymlink
	KindDirectory
	KindOther // a socket, a device …
)

// KindOfMode returns the kind of a file by its mode (inode(7)).
func KindOfMode(mode uint32) Kind {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return KindFile
	case unix.S_IFLNK:
		return KindSymlink
	case unix.S_IFDIR:
		return KindDirectory
	}
	return KindOther
}

// Version is what lies at a path on one side.
type Version struct {
	Kind   Kind
	Stat   unix.Stat_t
	Digest string // as in the manifest; empty for what is no file, or so long that it cannot be what it is compared with
	Native string // in the algorithm of the package
	Target string // of a link
	Edited bool   // of a source: it is not the package's, but the host's
	Data   *os.File
}

// Close lets go of the file.
func (v *Version) Close() {
	if v.Data != nil {
		v.Data.Close()
	}
}

// IsShipped reports whether it is what the package ships.
func (v *Version) IsShipped(f *privatepaths.OwnedFile) bool {
	switch v.Kind {
	case KindFile:
		return f.Digest != "" && v.Native == f.Digest
	case KindSymlink:
		return f.LinkTarget != "" && v.Target == f.LinkTarget
	}
	return false
}

// IsAsPut reports whether nobody has changed what was put in place.
func (v *Version) IsAsPut(e Entry) bool {
	switch v.Kind {
	case KindFile:
		return e.Type == "file" && e.Digest != "" && v.Digest == e.Digest
	case KindSymlink:
		return e.Type == "symlink" && e.Target != "" && v.Target == e.Target
	}
	return false
}

// TypeName returns the kind in the words of the manifest.
func (v *Version) TypeName() string {
	switch v.Kind {
	case KindDirectory:
		return "directory"
	case KindSymlink:
		return "symlink"
	}
	return "file"
}

// Size is what the manifest records.
func (v *Version) Size() int64 {
	if v.Kind != KindFile {
		return 0
	}
	return v.Stat.Size
}

// EntryType returns the type of an entry that may not have one yet.
func EntryType(f *privatepaths.OwnedFile, e Entry) string {
	switch {
	case e.Type != "":
		return e.Type
	case f.Digest != "":
		return "file"
	}
	return "symlink"
}

// HasAttributes reports whether mode and owner are as they were put.
func (e Entry) HasAttributes(v *Version) bool {
	var now Entry
	now.SetAttributes(v.Stat.Mode, v.Stat.Uid, v.Stat.Gid)
	return now.Mode == e.Mode && now.Owner == e.Owner
}

// SameAttributes reports whether mode and owner of two files are the same.
func SameAttributes(a, b *unix.Stat_t) bool {
	return a.Mode&0o7777 == b.Mode&0o7777 && a.Uid == b.Uid && a.Gid == b.Gid
}

// Place is a name in an open directory.
type Place struct {
	Dir  int
	Name string
	lent bool // Dir belongs to another place
}

// Close lets go of the directory, unless it belongs to another place.
func (p *Place) Close() {
	if !p.lent {
		unix.Close(p.Dir)
	}
}

// Sibling is another name in the same directory.
func (p *Place) Sibling(name string) *Place { return &Place{p.Dir, name, true} }

// Look reads what lies at a place of the content: of a file both digests, unless its size alone tells that it is
// neither what was put there nor short enough to be worth it. Root in the container can have made it anything, and
// long.
func (p *Place) Look(like string, put Entry) (*Version, error) {
	const longest = 1 << 30
	v := &Version{}
	err := unix.Fstatat(p.Dir, p.Name, &v.Stat, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENAMETOOLONG) {
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	if filetree.IsWhiteout(&v.Stat) {
		return v, nil // It was deleted.
	}
	switch v.Kind = KindOfMode(v.Stat.Mode); v.Kind {
	case KindSymlink:
		v.Target, err = ReadlinkAt(p.Dir, p.Name)
		return v, err
	case KindFile:
		if v.Stat.Size > longest && v.Stat.Size != put.Size {
			return v, nil
		}
		return v, v.Read(p.Dir, p.Name, like)
	}
	return v, nil
}

// Read computes the digests of a file.
func (v *Version) Read(dir int, name, like string) error {
	f, err := openRegular(dir, name)
	if errors.Is(err, ErrBlocked) {
		v.Kind = KindOther
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return v.Hash(f, like)
}

// Hash reads a file and notes both digests, the second in the algorithm of another one.
func (v *Version) Hash(f *os.File, like string) error {
	s := filetree.NewSums(like)
	// One that grows meanwhile is not what it was.
	n, err := io.Copy(s, io.LimitReader(f, v.Stat.Size+1))
	if err != nil {
		return err
	}
	if n == v.Stat.Size {
		v.SetSums(s)
	}
	return nil
}

// SetSums takes the digests of its data over.
func (v *Version) SetSums(s *filetree.Sums) {
	if s == nil {
		return
	}
	v.Digest = s.Own.String()
	if s.Native != nil {
		v.Native = s.Native.String()
	}
}

// openRegular opens a regular file and nothing else, without waiting for what it may have become. Errors: errBlocked.
func openRegular(dir int, name string) (*os.File, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV):
		return nil, ErrBlocked
	case err != nil:
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrBlocked
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ReadlinkAt returns where a symbolic link in a directory points to.
func ReadlinkAt(dir int, name string) (string, error) {
	var target [unix.PathMax]byte
	n, err := unix.Readlinkat(dir, name, target[:])
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return "", nil
	}
	return string(target[:max(n, 0)]), err
}

// SetAttributes sets mode and owner of the very file that was looked at.
func (p *Place) SetAttributes(v *Version, wanted *unix.Stat_t) error {
	fd, err := unix.Openat(p.Dir, p.Name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var now unix.Stat_t
	if err := unix.Fstat(fd, &now); err != nil {
		return err
	}
	if now.Ino != v.Stat.Ino || now.Mode != v.Stat.Mode {
		return nil
	}
	if err := unix.Fchownat(fd, "", int(wanted.Uid), int(wanted.Gid), unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("set owner: %w", err)
	}
	if err := unix.Chmod(filetree.OwnLink(fd), wanted.Mode&0o7777); err != nil {
		return fmt.Errorf("set mode: %w", err)
	}
	return nil
}

// splitPath splits a path of the container into its directory and name, relative to its root.
func splitPath(p string) (dir, name string) {
	p = strings.TrimPrefix(p, "/")
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i], p[i+1:]
	}
	return ".", p
}
