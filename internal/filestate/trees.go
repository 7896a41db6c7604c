// SPDX-License-Identifier: Apache-2.0

package filestate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/openat"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
)

// ErrBlocked is a path of the content that is behind a link, a mount or something that is no directory.
var ErrBlocked = errors.New("it is behind a link or a mount")

// UpgradeName is where a file is made whole before it appears in its place. No container sees it.
const UpgradeName = OwnDir + "/upgrade"

// Trees are the host's root and a content, as open directories: no path is followed through a link on either side.
type Trees struct {
	host, Tree int
}

// OpenTrees opens the root directory of a host (root "" for this one) and a content.
func OpenTrees(root, content string) (*Trees, error) {
	host, err := unix.Open(root+"/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open root directory: %w", err)
	}
	tree, err := unix.Open(content, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		unix.Close(host)
		return nil, fmt.Errorf("open content directory: %w", err)
	}
	return &Trees{host, tree}, nil
}

// Close lets go of both.
func (t *Trees) Close() {
	unix.Close(t.host)
	unix.Close(t.Tree)
}

// Clear removes what an upgrade that was killed left.
func (t *Trees) Clear() error {
	err := unix.Unlinkat(t.Tree, UpgradeName, 0)
	if errors.Is(err, unix.EISDIR) {
		err = unix.Unlinkat(t.Tree, UpgradeName, unix.AT_REMOVEDIR)
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove %s: %w", UpgradeName, err)
	}
	return nil
}

// Sync writes to the disk what was put, before the manifest tells of it.
func (t *Trees) Sync() error { return unix.Syncfs(t.Tree) }

// Find opens the directory of a path of the content. Errors: errBlocked, unix.ENOENT.
func (t *Trees) Find(p string) (*Place, error) {
	dir, name := splitPath(p)
	fd, err := openDir(t.Tree, dir, unix.RESOLVE_NO_XDEV)
	if errors.Is(err, ErrBlocked) && t.IsDeleted(dir) {
		return nil, unix.ENOENT
	}
	if err != nil {
		return nil, err
	}
	return &Place{Dir: fd, Name: name}, nil
}

// IsDeleted reports whether a path of the content, or a directory above it, has the mark that it was deleted inside.
func (t *Trees) IsDeleted(p string) bool {
	for p = strings.Trim(p, "/"); p != "." && p != ""; p = path.Dir(p) {
		fd, err := openat.In(t.Tree, p)
		if fd < 0 {
			if err != nil {
				return false
			}
			continue
		}
		var stat unix.Stat_t
		err = unix.Fstat(fd, &stat)
		unix.Close(fd)
		return err == nil && filetree.IsWhiteout(&stat)
	}
	return false
}

// onHost is find for the host's root, whose parts may be mounts.
func (t *Trees) onHost(p string) (*Place, error) {
	dir, name := splitPath(p)
	fd, err := openDir(t.host, dir, 0)
	if err != nil {
		return nil, err
	}
	return &Place{Dir: fd, Name: name}, nil
}

func openDir(root int, dir string, resolve uint64) (int, error) {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | resolve,
	}
	fd, err := openat.Openat2(root, dir, &how)
	switch {
	case err == nil:
		return fd, nil
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.EXDEV), errors.Is(err, unix.ENOTDIR):
		return -1, ErrBlocked
	}
	return -1, err
}

// LookOnHost reads what lies at a path of the host; nil for what is not there.
func (t *Trees) LookOnHost(p string) (*Version, error) {
	at, err := t.onHost(p)
	if errors.Is(err, ErrBlocked) || errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer at.Close()
	v := &Version{}
	err = unix.Fstatat(at.Dir, at.Name, &v.Stat, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	switch v.Kind = KindOfMode(v.Stat.Mode); v.Kind {
	case KindSymlink:
		v.Target, err = ReadlinkAt(at.Dir, at.Name)
	case KindFile:
		v.Data, err = openRegular(at.Dir, at.Name)
	case KindDirectory:
		var fd int
		if fd, err = openDir(at.Dir, at.Name, 0); err == nil {
			v.Data = os.NewFile(uintptr(fd), p)
		}
	}
	if errors.Is(err, ErrBlocked) || errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	return v, err
}

// KindOf is what a package has at a path. dpkg does not say; then it is what the host has.
func (t *Trees) KindOf(f *privatepaths.OwnedFile) Kind {
	switch {
	case f.Mode.IsDir():
		return KindDirectory
	case f.LinkTarget != "":
		return KindSymlink
	case f.Mode.IsRegular():
		return KindFile
	}
	return KindOther
}

// Source opens the package's version of a path: the host's, or what the package manager put beside that since it had
// been changed. With edited the host's is taken as it is where there is no other, as create does. nil for none.
func (t *Trees) Source(f *privatepaths.OwnedFile, edited bool) (*Version, error) {
	kind := t.KindOf(f)
	own, err := t.LookOnHost(f.Path)
	if err != nil {
		return nil, err
	}
	if own != nil && kind != KindFile && own.Kind == kind && (kind == KindDirectory || own.IsShipped(f)) {
		return own, nil
	}
	if kind == KindFile && f.Digest != "" {
		if err := own.digestOf(f); err != nil {
			own.Close()
			return nil, err
		}
		if own != nil && own.IsShipped(f) {
			return own, nil
		}
		beside, err := t.LookOnHost(f.Path + f.NewSuffix)
		if err == nil {
			err = beside.digestOf(f)
		}
		if err != nil || (beside != nil && beside.IsShipped(f)) {
			return beside, err
		}
		if beside != nil {
			beside.Close()
		}
	}
	if own != nil && edited && own.Kind == kind {
		own.Edited = f.Shipped() != ""
		return own, nil
	}
	if own != nil {
		own.Close()
	}
	return nil, nil
}

// digestOf reads a file of the host.
func (v *Version) digestOf(f *privatepaths.OwnedFile) error {
	if v == nil || v.Kind != KindFile {
		return nil
	}
	if err := v.Hash(v.Data, f.Digest); err != nil {
		return err
	}
	_, err := v.Data.Seek(0, io.SeekStart)
	return err
}

// AttributesOf returns mode and owner that a path has on the host, unless its package says another mode: then somebody
// has changed it there.
func (t *Trees) AttributesOf(f *privatepaths.OwnedFile) *unix.Stat_t {
	at, err := t.onHost(f.Path)
	if err != nil {
		return nil
	}
	defer at.Close()
	var stat unix.Stat_t
	if unix.Fstatat(at.Dir, at.Name, &stat, unix.AT_SYMLINK_NOFOLLOW) != nil || KindOfMode(stat.Mode) != t.KindOf(f) ||
		stat.Mode&0o777 != uint32(f.Mode.Perm()) {
		return nil
	}
	return &stat
}

// MakeParents opens the directory of a path of the content, making what is missing of it like the host's.
func (t *Trees) MakeParents(p string) (*Place, error) {
	at, err := t.Find(p)
	if !errors.Is(err, unix.ENOENT) {
		return at, err
	}
	dir := path.Dir(p)
	parent, err := t.MakeParents(dir)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	like, err := t.LookOnHost(dir)
	if err != nil {
		return nil, err
	}
	if like == nil || like.Kind != KindDirectory {
		return nil, ErrBlocked
	}
	defer like.Close()
	if _, err := t.Put(like, nil); err != nil {
		return nil, err
	}
	if err := t.MoveNew(parent); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, err
	}
	if at, err = t.Find(p); errors.Is(err, unix.ENOENT) {
		return nil, ErrBlocked // What is in its place stands for a directory that was deleted.
	}
	return at, err
}

// Put makes a copy of a version of the host, whole but not in its place yet, with the attributes given or else its own.
func (t *Trees) Put(source *Version, attributes *unix.Stat_t) (*Version, error) {
	if err := t.Clear(); err != nil {
		return nil, err
	}
	made := *source
	made.Data = nil
	if attributes != nil {
		made.Stat.Mode = made.Stat.Mode&unix.S_IFMT | attributes.Mode&0o7777
		made.Stat.Uid, made.Stat.Gid = attributes.Uid, attributes.Gid
	}
	switch source.Kind {
	case KindSymlink:
		if err := unix.Symlinkat(source.Target, t.Tree, UpgradeName); err != nil {
			return nil, err
		}
		return &made, unix.Fchownat(t.Tree, UpgradeName, int(made.Stat.Uid), int(made.Stat.Gid), unix.AT_SYMLINK_NOFOLLOW)
	case KindDirectory:
		if err := unix.Mkdirat(t.Tree, UpgradeName, 0o700); err != nil {
			return nil, err
		}
	}
	flags := unix.O_RDONLY | unix.O_DIRECTORY
	if source.Kind == KindFile {
		flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL
	}
	fd, err := unix.Openat(t.Tree, UpgradeName, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	target := os.NewFile(uintptr(fd), filepath.Base(UpgradeName))
	defer target.Close()
	if source.Kind == KindFile {
		own := filetree.NewHash("sha256:")
		n, err := io.Copy(io.MultiWriter(target, own), source.Data)
		if err != nil {
			return nil, err
		}
		if source.Digest != "" && own.String() != source.Digest {
			return nil, errors.New("it was changed on the host while it was read; run the upgrade again")
		}
		made.Digest, made.Stat.Size = own.String(), n
	}
	var attributesOf unix.Stat_t
	if err := unix.Fstat(int(source.Data.Fd()), &attributesOf); err != nil {
		return nil, err
	}
	attributesOf.Mode, attributesOf.Uid, attributesOf.Gid = made.Stat.Mode, made.Stat.Uid, made.Stat.Gid
	return &made, filetree.CopyAttributes(int(source.Data.Fd()), int(target.Fd()), &attributesOf)
}

// MoveNew brings what was put to its place, where nothing may be. Errors: unix.EEXIST.
func (t *Trees) MoveNew(at *Place) error {
	return unix.Renameat2(t.Tree, UpgradeName, at.Dir, at.Name, unix.RENAME_NOREPLACE)
}

// MoveOver brings what was put to the place of what nobody changed since it was put. Both change places, so that the
// old one can be looked at when nobody reaches it any more: one that was changed in the last moment goes back, and that
// is false.
func (t *Trees) MoveOver(at *Place, put Entry) (bool, error) {
	if err := unix.Renameat2(t.Tree, UpgradeName, at.Dir, at.Name, unix.RENAME_EXCHANGE); err != nil {
		return false, err
	}
	return t.settle(at, put)
}

// Remove is moveOver with nothing.
func (t *Trees) Remove(at *Place, put Entry) (bool, error) {
	if err := t.Clear(); err != nil {
		return false, err
	}
	if err := unix.Renameat2(at.Dir, at.Name, t.Tree, UpgradeName, unix.RENAME_NOREPLACE); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return false, nil
		}
		return false, err
	}
	old, err := (&Place{t.Tree, UpgradeName, true}).Look("", put)
	if err != nil {
		return false, err
	}
	if !old.IsAsPut(put) {
		return false, t.MoveNew(at)
	}
	return true, t.Clear()
}

// Retire removes a file of the content that is as it was put, and gives any other the name next beside it where that is
// free. It reports whether the old name is free now.
func (t *Trees) Retire(p, next string, put Entry) (bool, error) {
	at, err := t.Find(p)
	if errors.Is(err, ErrBlocked) || errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer at.Close()
	mine, err := at.Look("", put)
	if err != nil || mine.Kind != KindFile && mine.Kind != KindSymlink {
		return false, err
	}
	if put.Digest != "" && mine.IsAsPut(put) {
		return t.Remove(at, put)
	}
	err = unix.Renameat2(at.Dir, at.Name, at.Dir, next, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	return err == nil, err
}

func (t *Trees) settle(at *Place, put Entry) (bool, error) {
	old, err := (&Place{t.Tree, UpgradeName, true}).Look("", put)
	if err != nil {
		return false, err
	}
	if !old.IsAsPut(put) {
		return false, unix.Renameat2(t.Tree, UpgradeName, at.Dir, at.Name, unix.RENAME_EXCHANGE)
	}
	return true, t.Clear()
}
