package content

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
)

// errBlocked is a path of the content that is behind a link, a mount or something that is no directory.
var errBlocked = errors.New("it is behind a link or a mount")

// upgradeName is where a file is made whole before it appears in its place. No container sees it.
const upgradeName = OwnDir + "/upgrade"

// trees are the host's root and a content, as open directories: no path is followed through a link on either side.
type trees struct {
	host, tree int
}

func openTrees(root, content string) (*trees, error) {
	host, err := unix.Open(root+"/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open root directory: %w", err)
	}
	tree, err := unix.Open(content, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		unix.Close(host)
		return nil, fmt.Errorf("open content directory: %w", err)
	}
	return &trees{host, tree}, nil
}

func (t *trees) close() {
	unix.Close(t.host)
	unix.Close(t.tree)
}

// clear removes what an upgrade that was killed left.
func (t *trees) clear() error {
	err := unix.Unlinkat(t.tree, upgradeName, 0)
	if errors.Is(err, unix.EISDIR) {
		err = unix.Unlinkat(t.tree, upgradeName, unix.AT_REMOVEDIR)
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove %s: %w", upgradeName, err)
	}
	return nil
}

// sync writes to the disk what was put, before the manifest tells of it.
func (t *trees) sync() error { return unix.Syncfs(t.tree) }

// find opens the directory of a path of the content. Errors: errBlocked, unix.ENOENT.
func (t *trees) find(p string) (*place, error) {
	dir, name := splitPath(p)
	fd, err := openDir(t.tree, dir, unix.RESOLVE_NO_XDEV)
	if err != nil {
		return nil, err
	}
	return &place{dir: fd, name: name}, nil
}

// onHost is find for the host's root, whose parts may be mounts.
func (t *trees) onHost(p string) (*place, error) {
	dir, name := splitPath(p)
	fd, err := openDir(t.host, dir, 0)
	if err != nil {
		return nil, err
	}
	return &place{dir: fd, name: name}, nil
}

func openDir(root int, dir string, resolve uint64) (int, error) {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | resolve,
	}
	fd, err := filetree.Openat2(root, dir, &how)
	switch {
	case err == nil:
		return fd, nil
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.EXDEV), errors.Is(err, unix.ENOTDIR):
		return -1, errBlocked
	}
	return -1, err
}

// lookOnHost reads what lies at a path of the host; nil for what is not there.
func (t *trees) lookOnHost(p string) (*version, error) {
	at, err := t.onHost(p)
	if errors.Is(err, errBlocked) || errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer at.close()
	v := &version{}
	err = unix.Fstatat(at.dir, at.name, &v.stat, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	switch v.kind = kindOfMode(v.stat.Mode); v.kind {
	case kindSymlink:
		v.target, err = readlinkAt(at.dir, at.name)
	case kindFile:
		v.from, err = openRegular(at.dir, at.name)
	case kindDirectory:
		var fd int
		if fd, err = openDir(at.dir, at.name, 0); err == nil {
			v.from = os.NewFile(uintptr(fd), p)
		}
	}
	if errors.Is(err, errBlocked) || errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	return v, err
}

// kindOf is what a package has at a path. dpkg does not say; then it is what the host has.
func (t *trees) kindOf(f *privatepaths.OwnedFile) kind {
	switch {
	case f.Mode.IsDir():
		return kindDirectory
	case f.LinkTarget != "":
		return kindSymlink
	case f.Mode.IsRegular():
		return kindFile
	}
	return kindOther
}

// source opens the package's version of a path: the host's, or what the package manager put beside that since it had been
// changed. With edited the host's is taken as it is where there is no other, as create does. nil for none.
func (t *trees) source(f *privatepaths.OwnedFile, edited bool) (*version, error) {
	kind := t.kindOf(f)
	own, err := t.lookOnHost(f.Path)
	if err != nil {
		return nil, err
	}
	if own != nil && kind != kindFile && own.kind == kind && (kind == kindDirectory || own.is(f)) {
		return own, nil
	}
	if kind == kindFile && f.Digest != "" {
		if err := own.digestOf(f); err != nil {
			own.close()
			return nil, err
		}
		if own != nil && own.is(f) {
			return own, nil
		}
		beside, err := t.lookOnHost(f.Path + f.NewSuffix)
		if err == nil {
			err = beside.digestOf(f)
		}
		if err != nil || (beside != nil && beside.is(f)) {
			return beside, err
		}
		if beside != nil {
			beside.close()
		}
	}
	if own != nil && edited && own.kind == kind {
		own.edited = f.Shipped() != ""
		return own, nil
	}
	if own != nil {
		own.close()
	}
	return nil, nil
}

// digestOf reads a file of the host.
func (v *version) digestOf(f *privatepaths.OwnedFile) error {
	if v == nil || v.kind != kindFile {
		return nil
	}
	if err := v.hash(v.from, f.Digest); err != nil {
		return err
	}
	_, err := v.from.Seek(0, io.SeekStart)
	return err
}

// attributesOf gives mode and owner that a path has on the host, unless its package says another mode: then somebody has
// changed it there.
func (t *trees) attributesOf(f *privatepaths.OwnedFile) *unix.Stat_t {
	at, err := t.onHost(f.Path)
	if err != nil {
		return nil
	}
	defer at.close()
	var stat unix.Stat_t
	if unix.Fstatat(at.dir, at.name, &stat, unix.AT_SYMLINK_NOFOLLOW) != nil || kindOfMode(stat.Mode) != t.kindOf(f) ||
		stat.Mode&0o777 != uint32(f.Mode.Perm()) {
		return nil
	}
	return &stat
}

// makeParents opens the directory of a path of the content, making what is missing of it like the host's.
func (t *trees) makeParents(p string) (*place, error) {
	at, err := t.find(p)
	if !errors.Is(err, unix.ENOENT) {
		return at, err
	}
	dir := path.Dir(p)
	parent, err := t.makeParents(dir)
	if err != nil {
		return nil, err
	}
	defer parent.close()
	like, err := t.lookOnHost(dir)
	if err != nil {
		return nil, err
	}
	if like == nil || like.kind != kindDirectory {
		return nil, errBlocked
	}
	defer like.close()
	if _, err := t.put(like, nil); err != nil {
		return nil, err
	}
	if err := t.moveNew(parent); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, err
	}
	return t.find(p)
}

// put makes a copy of a version of the host, whole but not in its place yet, with the attributes given or else its own.
func (t *trees) put(source *version, attributes *unix.Stat_t) (*version, error) {
	if err := t.clear(); err != nil {
		return nil, err
	}
	made := *source
	made.from = nil
	if attributes != nil {
		made.stat.Mode = made.stat.Mode&unix.S_IFMT | attributes.Mode&0o7777
		made.stat.Uid, made.stat.Gid = attributes.Uid, attributes.Gid
	}
	switch source.kind {
	case kindSymlink:
		if err := unix.Symlinkat(source.target, t.tree, upgradeName); err != nil {
			return nil, err
		}
		return &made, unix.Fchownat(t.tree, upgradeName, int(made.stat.Uid), int(made.stat.Gid), unix.AT_SYMLINK_NOFOLLOW)
	case kindDirectory:
		if err := unix.Mkdirat(t.tree, upgradeName, 0o700); err != nil {
			return nil, err
		}
	}
	flags := unix.O_RDONLY | unix.O_DIRECTORY
	if source.kind == kindFile {
		flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL
	}
	fd, err := unix.Openat(t.tree, upgradeName, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	target := os.NewFile(uintptr(fd), filepath.Base(upgradeName))
	defer target.Close()
	if source.kind == kindFile {
		own := filetree.NewHash("sha256:")
		n, err := io.Copy(io.MultiWriter(target, own), source.from)
		if err != nil {
			return nil, err
		}
		if source.digest != "" && own.String() != source.digest {
			return nil, errors.New("it was changed on the host while it was read; run the upgrade again")
		}
		made.digest, made.stat.Size = own.String(), n
	}
	var attributesOf unix.Stat_t
	if err := unix.Fstat(int(source.from.Fd()), &attributesOf); err != nil {
		return nil, err
	}
	attributesOf.Mode, attributesOf.Uid, attributesOf.Gid = made.stat.Mode, made.stat.Uid, made.stat.Gid
	return &made, filetree.CopyAttributes(int(source.from.Fd()), int(target.Fd()), &attributesOf)
}

// moveNew brings what was put to its place, where nothing may be. Errors: unix.EEXIST.
func (t *trees) moveNew(at *place) error {
	return unix.Renameat2(t.tree, upgradeName, at.dir, at.name, unix.RENAME_NOREPLACE)
}

// moveOver brings what was put to the place of what nobody changed since it was put. Both change places, so that the old one
// can be looked at when nobody reaches it any more: one that was changed in the last moment goes back, and that is false.
func (t *trees) moveOver(at *place, put Entry) (bool, error) {
	if err := unix.Renameat2(t.tree, upgradeName, at.dir, at.name, unix.RENAME_EXCHANGE); err != nil {
		return false, err
	}
	return t.settle(at, put)
}

// remove is moveOver with nothing.
func (t *trees) remove(at *place, put Entry) (bool, error) {
	if err := t.clear(); err != nil {
		return false, err
	}
	if err := unix.Renameat2(at.dir, at.name, t.tree, upgradeName, unix.RENAME_NOREPLACE); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return false, nil
		}
		return false, err
	}
	old, err := (&place{t.tree, upgradeName, true}).look("", put)
	if err != nil {
		return false, err
	}
	if !old.isAsPut(put) {
		return false, t.moveNew(at)
	}
	return true, t.clear()
}

func (t *trees) settle(at *place, put Entry) (bool, error) {
	old, err := (&place{t.tree, upgradeName, true}).look("", put)
	if err != nil {
		return false, err
	}
	if !old.isAsPut(put) {
		return false, unix.Renameat2(t.tree, upgradeName, at.dir, at.name, unix.RENAME_EXCHANGE)
	}
	return true, t.clear()
}
