package content

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

// kind is what lies at a path.
type kind int

const (
	kindAbsent kind = iota
	kindFile
	kindSymlink
	kindDirectory
	kindOther // a socket, a device …
)

func kindOfMode(mode uint32) kind {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return kindFile
	case unix.S_IFLNK:
		return kindSymlink
	case unix.S_IFDIR:
		return kindDirectory
	}
	return kindOther
}

// version is what lies at a path on one side.
type version struct {
	kind   kind
	stat   unix.Stat_t
	digest string // as in the manifest; empty for what is no file, or so long that it cannot be what it is compared with
	native string // in the algorithm of the package
	target string // of a link
	edited bool   // of a source: it is not the package's, but the host's
	from   *os.File
}

func (v *version) close() {
	if v.from != nil {
		v.from.Close()
	}
}

// is tells whether it is what the package ships.
func (v *version) is(f *privatepaths.OwnedFile) bool {
	switch v.kind {
	case kindFile:
		return f.Digest != "" && v.native == f.Digest
	case kindSymlink:
		return f.LinkTarget != "" && v.target == f.LinkTarget
	}
	return false
}

// isAsPut tells whether nobody has changed what was put in place.
func (v *version) isAsPut(e Entry) bool {
	switch v.kind {
	case kindFile:
		return e.Type == "file" && e.Digest != "" && v.digest == e.Digest
	case kindSymlink:
		return e.Type == "symlink" && e.Target != "" && v.target == e.Target
	}
	return false
}

func (v *version) typeName() string {
	switch v.kind {
	case kindDirectory:
		return "directory"
	case kindSymlink:
		return "symlink"
	}
	return "file"
}

// size is what the manifest records.
func (v *version) size() int64 {
	if v.kind != kindFile {
		return 0
	}
	return v.stat.Size
}

// entryType returns the type of an entry that may not have one yet.
func entryType(f *privatepaths.OwnedFile, e Entry) string {
	switch {
	case e.Type != "":
		return e.Type
	case f.Digest != "":
		return "file"
	}
	return "symlink"
}

// hasAttributes tells whether mode and owner are as they were put.
func (e Entry) hasAttributes(v *version) bool {
	var now Entry
	now.setAttributes(v.stat.Mode, v.stat.Uid, v.stat.Gid)
	return now.Mode == e.Mode && now.Owner == e.Owner
}

func sameAttributes(a, b *unix.Stat_t) bool {
	return a.Mode&0o7777 == b.Mode&0o7777 && a.Uid == b.Uid && a.Gid == b.Gid
}

// place is a name in an open directory.
type place struct {
	dir  int
	name string
	lent bool // dir belongs to another place
}

func (p *place) close() {
	if !p.lent {
		unix.Close(p.dir)
	}
}

// sibling is another name in the same directory.
func (p *place) sibling(name string) *place { return &place{p.dir, name, true} }

// look reads what lies at a place of the content: of a file both digests, unless its size alone tells that it is neither
// what was put there nor short enough to be worth it. Root in the container can have made it anything, and long.
func (p *place) look(like string, put Entry) (*version, error) {
	const longest = 1 << 30
	v := &version{}
	err := unix.Fstatat(p.dir, p.name, &v.stat, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENAMETOOLONG) {
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	switch v.kind = kindOfMode(v.stat.Mode); v.kind {
	case kindSymlink:
		v.target, err = readlinkAt(p.dir, p.name)
		return v, err
	case kindFile:
		if v.stat.Size > longest && v.stat.Size != put.Size {
			return v, nil
		}
		return v, v.read(p.dir, p.name, like)
	}
	return v, nil
}

// read computes the digests of a file.
func (v *version) read(dir int, name, like string) error {
	f, err := openRegular(dir, name)
	if errors.Is(err, errBlocked) {
		v.kind = kindOther
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return v.hash(f, like)
}

func (v *version) hash(f *os.File, like string) error {
	s := filetree.NewSums(like)
	// One that grows meanwhile is not what it was.
	n, err := io.Copy(s, io.LimitReader(f, v.stat.Size+1))
	if err != nil {
		return err
	}
	if n == v.stat.Size {
		v.setSums(s)
	}
	return nil
}

// setSums takes the digests of its data over.
func (v *version) setSums(s *filetree.Sums) {
	if s == nil {
		return
	}
	v.digest = s.Own.String()
	if s.Native != nil {
		v.native = s.Native.String()
	}
}

// openRegular opens a regular file and nothing else, without waiting for what it may have become. Errors: errBlocked.
func openRegular(dir int, name string) (*os.File, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV):
		return nil, errBlocked
	case err != nil:
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errBlocked
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func readlinkAt(dir int, name string) (string, error) {
	var target [unix.PathMax]byte
	n, err := unix.Readlinkat(dir, name, target[:])
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return "", nil
	}
	return string(target[:max(n, 0)]), err
}

// setAttributes sets mode and owner of the very file that was looked at.
func (p *place) setAttributes(v *version, wanted *unix.Stat_t) error {
	fd, err := unix.Openat(p.dir, p.name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
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
	if now.Ino != v.stat.Ino || now.Mode != v.stat.Mode {
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
