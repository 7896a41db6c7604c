// SPDX-License-Identifier: Apache-2.0

package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/openat"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
	"github.com/virt-sandbox/virt-sandbox/internal/selfsigned"
)

// copier puts host paths at the same place in the tree. It opens every directory on its way and works relative to it,
// so that no symbolic link, on either side, leads it elsewhere. Descriptors of files are plain numbers: to make
// os.Files of them took more system calls than to copy them.
type copier struct {
	host, tree *os.File // directories
	whole      bool     // copy content, or make empty files and directories
	fresh      bool     // nothing of the tree is the administrator's yet
	again      bool     // what is copied is a tree already: named pipes are of it, and digests are not asked for
	skip       func(hostPath string) bool
	// owned returns what packages own of what is copied; nil where that is not asked for.
	owned    func() (map[string]*privatepaths.OwnedFile, error)
	progress *filetree.Progress
	// certificate makes the one that is the container's own in place of the host's; nil where that is to be copied.
	certificate func() (*selfsigned.Certificate, error)

	depth   int                       // of directories that are open
	buffer  []byte                    // that all files pass through
	links   map[filetree.Inode]string // first place in the tree of a file with several names
	entries []filestate.Entry
	origin  string
}

// Place brings one path and its parents into the tree. A path that the host lacks is left out.
func (c *copier) Place(ctx context.Context, hostPath, origin string) error {
	c.origin = origin
	source, target, err := c.parents(hostPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", printable.Quoted(hostPath), filetree.WithoutPath(err))
	}
	defer source.Close()
	defer target.Close()
	return c.entry(ctx, source, target, path.Dir(hostPath), path.Base(hostPath))
}

// parents opens the directory of hostPath on both sides, making it in the tree with the attributes it has on the host.
func (c *copier) parents(hostPath string) (source, target *os.File, err error) {
	if source, err = openBeneath(c.host, "."); err != nil {
		return nil, nil, err
	}
	if target, err = openBeneath(c.tree, "."); err != nil {
		source.Close()
		return nil, nil, err
	}
	for name := range strings.SplitSeq(strings.Trim(path.Dir(hostPath), "/"), "/") {
		if name == "" {
			continue
		}
		nextSource, err := openBeneath(source, name)
		if err != nil {
			source.Close()
			target.Close()
			return nil, nil, err
		}
		nextTarget, err := c.makeDirLike(nextSource, target, name)
		source.Close()
		target.Close()
		if err != nil {
			nextSource.Close()
			return nil, nil, err
		}
		source, target = nextSource, nextTarget
	}
	return source, target, nil
}

// openBeneath opens a directory in another one. A symbolic link is followed where it stays in that.
func openBeneath(parent *os.File, name string) (*os.File, error) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH}
	fd, err := openat.Openat2(int(parent.Fd()), name, &how)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (c *copier) makeDirLike(like, parent *os.File, name string) (*os.File, error) {
	made := unix.Mkdirat(int(parent.Fd()), name, 0o700)
	if made != nil && !errors.Is(made, fs.ErrExist) {
		return nil, made
	}
	dir, err := openBeneath(parent, name)
	if err != nil {
		return nil, err
	}
	if made != nil {
		// An interrupted run can have made it without getting further.
		info, err := dir.Stat()
		if err != nil {
			dir.Close()
			return nil, err
		}
		if !c.fresh || info.Mode().Perm() != 0o700 {
			return dir, nil
		}
	}
	var s unix.Stat_t
	if err = unix.Fstat(int(like.Fd()), &s); err == nil {
		err = filetree.CopyAttributes(int(like.Fd()), int(dir.Fd()), &s)
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// entry copies one directory entry. Sockets, devices, and the host's named pipes belong to running programs and are
// left out.
func (c *copier) entry(ctx context.Context, source, target *os.File, dir, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	hostPath := path.Join(dir, name)
	if c.skip(hostPath) {
		return nil
	}
	v := &filestate.Version{}
	err := unix.Fstatat(int(source.Fd()), name, &v.Stat, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var owner *privatepaths.OwnedFile
	if err == nil {
		owner, err = c.owner(hostPath)
	}
	if err == nil {
		switch v.Kind = filestate.KindOfMode(v.Stat.Mode); v.Kind {
		case filestate.KindDirectory:
			return c.directory(ctx, source, target, hostPath, v, owner)
		case filestate.KindSymlink:
			err = symlink(int(source.Fd()), int(target.Fd()), name, v)
		case filestate.KindFile:
			err = c.file(ctx, int(source.Fd()), int(target.Fd()), hostPath, v, owner)
		default:
			switch {
			case !c.again:
			case v.Stat.Mode&unix.S_IFMT == unix.S_IFIFO:
				err = filetree.MakePipe(int(target.Fd()), name, filetree.AttributesOfStat(&v.Stat))
			case filetree.IsWhiteout(&v.Stat) && pathname.IsBelow(hostPath, etcTop):
				err = filetree.MakeWhiteout(int(target.Fd()), name)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", printable.Quoted(hostPath), filetree.WithoutPath(err))
	}
	c.record(hostPath, v, owner)
	return nil
}

// owner returns what a package says of a path; nil where none owns it.
func (c *copier) owner(hostPath string) (*privatepaths.OwnedFile, error) {
	if c.owned == nil {
		return nil, nil
	}
	owned, err := c.owned()
	return owned[hostPath], err
}

func (c *copier) record(hostPath string, v *filestate.Version, owner *privatepaths.OwnedFile) {
	if c.again || v.Kind == filestate.KindOther {
		return
	}
	e := filestate.Entry{Path: hostPath, Type: v.TypeName(), Digest: v.Digest, Origin: c.origin, Target: v.Target}
	e.SetAttributes(v.Stat.Mode, v.Stat.Uid, v.Stat.Gid)
	if c.whole {
		e.Size = v.Size()
	}
	if owner != nil {
		e.Package, e.Shipped = owner.Package, owner.Shipped()
		e.Edited = v.Kind == filestate.KindSymlink && v.Target != e.Shipped || v.Native != "" && v.Native != e.Shipped
	}
	c.entries = append(c.entries, e)
}

func (c *copier) directory(ctx context.Context, source, target *os.File, hostPath string, v *filestate.Version,
	owner *privatepaths.OwnedFile,
) error {
	name := path.Base(hostPath)
	fail := func(err error) error {
		return fmt.Errorf("copy %s: %w", printable.Quoted(hostPath), filetree.WithoutPath(err))
	}
	from, err := openBeneath(source, name)
	if err != nil {
		return fail(err)
	}
	defer from.Close()
	if err := unix.Mkdirat(int(target.Fd()), name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fail(err)
	}
	to, err := openBeneath(target, name)
	if err != nil {
		return fail(err)
	}
	defer to.Close()
	c.record(hostPath, v, owner)
	if c.whole {
		if err := c.children(ctx, from, to, hostPath); err != nil {
			return err
		}
	}
	// Last, since filling the directory changes its times and needs its permission.
	if err := filetree.CopyAttributes(int(from.Fd()), int(to.Fd()), &v.Stat); err != nil {
		return fail(err)
	}
	return nil
}

// children copies what lies in a directory. Each level holds two descriptors, and root in a container makes directories
// without end.
func (c *copier) children(ctx context.Context, from, to *os.File, dir string) error {
	c.depth++
	defer func() { c.depth-- }()
	if c.depth > filetree.MaxDepth {
		return fmt.Errorf("copy %s: %w", printable.Short(dir, 200), filetree.ErrTooDeep)
	}
	for {
		names, err := from.Readdirnames(1024)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("copy %s: %w", printable.Quoted(dir), filetree.WithoutPath(err))
		}
		for _, name := range names {
			if err := c.entry(ctx, from, to, dir, name); err != nil {
				return err
			}
		}
	}
}

// symlink copies a symbolic link from one directory to another.
func symlink(source, target int, name string, v *filestate.Version) error {
	var err error
	if v.Target, err = filestate.ReadlinkAt(source, name); err != nil {
		return err
	}
	if err := unix.Symlinkat(v.Target, target, name); errors.Is(err, fs.ErrExist) {
		old, err := filestate.ReadlinkAt(target, name)
		if err != nil {
			return err
		}
		if old != v.Target {
			// Of an interrupted run; the host's has changed since.
			if err := errors.Join(unix.Unlinkat(target, name, 0), unix.Symlinkat(v.Target, target, name)); err != nil {
				return err
			}
		}
	} else if err != nil {
		return err
	}
	if err := unix.Fchownat(target, name, int(v.Stat.Uid), int(v.Stat.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	return unix.UtimesNanoAt(target, name, filetree.AttributesOfStat(&v.Stat).Times, unix.AT_SYMLINK_NOFOLLOW)
}

// file copies a regular file and completes the version by its digests. One that an interrupted run completed has the
// times of its source and is not copied again.
func (c *copier) file(ctx context.Context, source, target int, hostPath string, v *filestate.Version,
	owner *privatepaths.OwnedFile,
) error {
	name := path.Base(hostPath)
	id := filetree.Inode{Device: v.Stat.Dev, Number: v.Stat.Ino}
	if v.Stat.Nlink > 1 && c.whole {
		if first, copied := c.links[id]; copied {
			return c.link(first, target, name, v, owner)
		}
		if len(c.links) < filetree.MaxLinks {
			c.links[id] = strings.TrimPrefix(hostPath, "/")
		}
	}
	from, err := unix.Openat(source, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	to, fresh, err := openTarget(target, name)
	if err != nil {
		return err
	}
	defer unix.Close(to)
	if c.isAfresh(hostPath) {
		err = c.fillAfresh(to, hostPath, v)
	} else {
		err = c.fill(ctx, from, to, fresh, v, owner)
	}
	if err != nil {
		return err
	}
	return filetree.CopyAttributes(from, to, &v.Stat)
}

// openTarget makes a file, or opens what an interrupted run left of it.
func openTarget(dir int, name string) (fd int, fresh bool, err error) {
	const flags = unix.O_RDWR | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err = unix.Openat(dir, name, flags|unix.O_CREAT|unix.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		fd, err = unix.Openat(dir, name, flags, 0)
		return fd, false, err
	}
	return fd, true, err
}

// link makes another name of a file that was copied already.
func (c *copier) link(first string, target int, name string, v *filestate.Version,
	owner *privatepaths.OwnedFile,
) error {
	// What an interrupted run left there may be less than a whole file.
	if err := unix.Unlinkat(target, name, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fd, err := openat.In(int(c.tree.Fd()), first)
	if err != nil {
		return err
	}
	if fd < 0 {
		return fmt.Errorf("its other name %s is gone", printable.Quoted("/"+first))
	}
	defer unix.Close(fd)
	err = unix.Linkat(unix.AT_FDCWD, filetree.OwnLink(fd), target, name, unix.AT_SYMLINK_FOLLOW)
	if err != nil || c.again {
		return err
	}
	return v.Read(target, name, owner.KnownDigest())
}

// fill gives a file its data, and the version the digests of that.
func (c *copier) fill(ctx context.Context, from, to int, fresh bool, v *filestate.Version,
	owner *privatepaths.OwnedFile,
) error {
	var have unix.Stat_t
	if err := unix.Fstat(to, &have); err != nil {
		return err
	}
	if filestate.KindOfMode(have.Mode) != filestate.KindFile {
		return errors.New("what lies in its place is no file")
	}
	if !c.whole {
		v.Digest = filetree.NewHash("sha256:").String()
		return nil
	}
	if c.buffer == nil {
		c.buffer = make([]byte, filetree.BufferSize)
	}
	sums := filetree.NewSums(owner.KnownDigest())
	if c.again {
		sums = nil
	}
	complete := false
	if !fresh {
		complete = have.Size == v.Stat.Size && have.Mtim == v.Stat.Mtim
		// ext4 writes a file that was truncated to the disk when it is closed.
		if !complete && have.Size > 0 {
			if err := unix.Ftruncate(to, 0); err != nil {
				return err
			}
		}
	}
	job := filetree.DataCopy{Ctx: ctx, From: from, To: to, Sums: sums, Buffer: c.buffer, Progress: c.progress}
	if complete {
		if err := job.SumTarget(); err != nil {
			return err
		}
	} else if err := job.Run(&v.Stat); err != nil {
		return err
	}
	v.SetSums(sums)
	return nil
}

// exists reports whether the tree has something at a path of the container.
func exists(tree *os.Root, p string) bool {
	_, err := tree.Lstat(filepath.Clean(strings.TrimPrefix(p, "/")))
	return err == nil
}
