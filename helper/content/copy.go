package content

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// copier puts host paths at the same place in the tree. It opens every directory on its way and works relative to it,
// so that no symbolic link, on either side, leads it elsewhere.
type copier struct {
	host, tree *os.Root
	whole      bool // copy content, or make empty files and directories
	fresh      bool // nothing of the tree is the administrator's yet
	again      bool // what is copied is a tree already: named pipes are of it, and digests are not asked for
	skip       func(hostPath string) bool
	progress   *Progress

	buffer  []byte           // that all files pass through
	links   map[inode]string // first place in the tree of a file with several names
	entries []Entry
	origin  string
}

type inode struct{ device, number uint64 }

// place brings one path and its parents into the tree. A path that the host lacks is left out.
func (c *copier) place(ctx context.Context, hostPath, origin string) error {
	c.origin = origin
	source, target, err := c.parents(hostPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", printable(hostPath), withoutPath(err))
	}
	defer source.Close()
	defer target.Close()
	return c.entry(ctx, source, target, path.Dir(hostPath), path.Base(hostPath))
}

// parents opens the directory of hostPath on both sides, making it in the tree with the attributes it has on the host.
func (c *copier) parents(hostPath string) (source, target *os.Root, err error) {
	if source, err = c.host.OpenRoot("."); err != nil {
		return nil, nil, err
	}
	if target, err = c.tree.OpenRoot("."); err != nil {
		source.Close()
		return nil, nil, err
	}
	for name := range strings.SplitSeq(strings.Trim(path.Dir(hostPath), "/"), "/") {
		if name == "" {
			continue
		}
		nextSource, err := source.OpenRoot(name)
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

func (c *copier) makeDirLike(like, parent *os.Root, name string) (*os.Root, error) {
	made := parent.Mkdir(name, 0o700)
	if made != nil && !errors.Is(made, fs.ErrExist) {
		return nil, made
	}
	dir, err := parent.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	if made != nil {
		// An interrupted run can have made it without getting further.
		info, err := dir.Stat(".")
		if err != nil {
			dir.Close()
			return nil, err
		}
		if !c.fresh || info.Mode().Perm() != 0o700 {
			return dir, nil
		}
	}
	if err := copyDirAttributes(like, dir); err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// entry copies one directory entry. Sockets, devices, and the host's named pipes belong to running programs and are left out.
func (c *copier) entry(ctx context.Context, source, target *os.Root, dir, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	hostPath := path.Join(dir, name)
	if c.skip(hostPath) {
		return nil
	}
	info, err := source.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		switch info.Mode().Type() {
		case fs.ModeDir:
			return c.directory(ctx, source, target, hostPath, info)
		case fs.ModeSymlink:
			err = c.symlink(source, target, name, info)
			c.record(hostPath, "symlink", "", info, err)
		case 0:
			var digest string
			digest, err = c.file(ctx, source, target, hostPath, info)
			c.record(hostPath, "file", digest, info, err)
		case fs.ModeNamedPipe:
			if c.again {
				err = pipe(target, name, info)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", printable(hostPath), withoutPath(err))
	}
	return nil
}

func (c *copier) record(hostPath, kind, digest string, info fs.FileInfo, err error) {
	if err != nil || c.again {
		return
	}
	e := Entry{Path: hostPath, Type: kind, Digest: digest, Origin: c.origin}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		e.setAttributes(s.Mode, s.Uid, s.Gid)
	}
	if kind == "file" && c.whole {
		e.Size = info.Size()
	}
	c.entries = append(c.entries, e)
}

func (c *copier) directory(ctx context.Context, source, target *os.Root, hostPath string, info fs.FileInfo) error {
	name := path.Base(hostPath)
	fail := func(err error) error { return fmt.Errorf("copy %s: %w", printable(hostPath), withoutPath(err)) }
	from, err := source.OpenRoot(name)
	if err != nil {
		return fail(err)
	}
	defer from.Close()
	if err := target.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fail(err)
	}
	to, err := target.OpenRoot(name)
	if err != nil {
		return fail(err)
	}
	defer to.Close()
	c.record(hostPath, "directory", "", info, nil)
	if c.whole {
		if err := c.children(ctx, from, to, hostPath); err != nil {
			return err
		}
	}
	// Last, since filling the directory changes its times and needs its permission.
	if err := copyDirAttributes(from, to); err != nil {
		return fail(err)
	}
	return nil
}

// children copies what lies in a directory.
func (c *copier) children(ctx context.Context, from, to *os.Root, dir string) error {
	names, err := readNames(from)
	if err != nil {
		return fmt.Errorf("copy %s: %w", printable(dir), withoutPath(err))
	}
	for _, name := range names {
		if err := c.entry(ctx, from, to, dir, name); err != nil {
			return err
		}
	}
	return nil
}

func readNames(dir *os.Root) ([]string, error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func (c *copier) symlink(source, target *os.Root, name string, info fs.FileInfo) error {
	link, err := source.Readlink(name)
	if err != nil {
		return err
	}
	if old, err := target.Readlink(name); err != nil || old != link {
		if err == nil {
			_ = target.Remove(name) // of an interrupted run; the host's has changed since
		}
		if err := target.Symlink(link, name); err != nil {
			return err
		}
	}
	s := info.Sys().(*syscall.Stat_t)
	if err := target.Lchown(name, int(s.Uid), int(s.Gid)); err != nil {
		return err
	}
	dir, err := target.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	return unix.UtimesNanoAt(int(dir.Fd()), name, times(s), unix.AT_SYMLINK_NOFOLLOW)
}

// pipe makes a named pipe like another.
func pipe(target *os.Root, name string, info fs.FileInfo) error {
	dir, err := target.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	s := info.Sys().(*syscall.Stat_t)
	return makePipe(dir, name, attributes{s.Uid, s.Gid, s.Mode, times(s)})
}

// makePipe makes a named pipe in a directory.
func makePipe(dir *os.File, name string, a attributes) error {
	if err := unix.Mkfifoat(int(dir.Fd()), name, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	fd, err := openIn(int(dir.Fd()), name)
	if fd < 0 {
		return cmp.Or(err, fs.ErrNotExist)
	}
	defer unix.Close(fd)
	if err := unix.Fchownat(fd, "", int(a.uid), int(a.gid), unix.AT_EMPTY_PATH); err != nil {
		return err
	}
	if err := unix.Fchmodat(unix.AT_FDCWD, ownLink(fd), a.mode&0o7777, 0); err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, ownLink(fd), a.times, 0)
}

// file copies a regular file and returns its digest. One that an interrupted run completed has the times of its source
// and is not copied again.
func (c *copier) file(ctx context.Context, source, target *os.Root, hostPath string, info fs.FileInfo) (string, error) {
	name := path.Base(hostPath)
	s := info.Sys().(*syscall.Stat_t)
	id := inode{uint64(s.Dev), s.Ino}
	if s.Nlink > 1 && c.whole {
		if first, copied := c.links[id]; copied {
			// What an interrupted run left there may be less than a whole file.
			if err := target.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
			return c.digestOf("/" + first), c.tree.Link(first, strings.TrimPrefix(hostPath, "/"))
		}
		c.links[id] = strings.TrimPrefix(hostPath, "/")
	}
	from, err := source.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer from.Close()
	to, err := target.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return "", err
	}
	defer to.Close()
	digest, err := c.fill(ctx, from, to, info)
	if err != nil {
		return "", err
	}
	return digest, copyAttributes(from, to, s)
}

func (c *copier) digestOf(hostPath string) string {
	for _, e := range c.entries {
		if e.Path == hostPath {
			return e.Digest
		}
	}
	return ""
}

// fill gives a file its content and returns the digest of that.
func (c *copier) fill(ctx context.Context, from, to *os.File, info fs.FileInfo) (string, error) {
	hash := sha256.New()
	sum := func() string { return "sha256:" + hex.EncodeToString(hash.Sum(nil)) }
	if !c.whole {
		return sum(), nil
	}
	have, err := to.Stat()
	if err != nil {
		return "", err
	}
	if have.Size() != info.Size() || !have.ModTime().Equal(info.ModTime()) {
		// ext4 writes a file that was truncated to the disk when it is closed.
		if have.Size() > 0 {
			if err := to.Truncate(0); err != nil {
				return "", err
			}
		}
		if err := copyData(ctx, from, to, c.progress); err != nil {
			return "", err
		}
	}
	if c.again {
		return "", nil
	}
	if _, err := to.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	if c.buffer == nil {
		c.buffer = make([]byte, 1<<18)
	}
	_, err = io.CopyBuffer(hash, progressReader{ctx, to, nil}, c.buffer)
	return sum(), err
}

func copyDirAttributes(from, to *os.Root) error {
	source, err := from.Open(".")
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := to.Open(".")
	if err != nil {
		return err
	}
	defer target.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	return copyAttributes(source, target, info.Sys().(*syscall.Stat_t))
}

// copyAttributes gives the target owner, extended attributes, mode and times of the source.
func copyAttributes(source, target *os.File, s *syscall.Stat_t) error {
	a := attributes{s.Uid, s.Gid, s.Mode, times(s)}
	return a.give(target, func() error { return copyXattrs(source, target) })
}

// attributes are those that every file has.
type attributes struct {
	uid, gid uint32
	mode     uint32
	times    []unix.Timespec // of access and of change
}

// give sets them on a file, and xattrs the extended ones, in the order in which none undoes another: chown clears
// set-user-ID bits and capabilities, and the times come last since they mark a finished copy.
func (a attributes) give(target *os.File, xattrs func() error) error {
	if err := target.Chown(int(a.uid), int(a.gid)); err != nil {
		return err
	}
	if err := xattrs(); err != nil {
		return err
	}
	if err := unix.Fchmod(int(target.Fd()), a.mode&0o7777); err != nil {
		return err
	}
	// The descriptor's own link in /proc sets times without a name that could have been exchanged.
	return unix.UtimesNanoAt(unix.AT_FDCWD, ownLink(int(target.Fd())), a.times, 0)
}

func times(s *syscall.Stat_t) []unix.Timespec {
	return []unix.Timespec{unix.Timespec(s.Atim), unix.Timespec(s.Mtim)}
}

// copyXattrs copies extended attributes but SELinux labels, which the sandbox has of its own.
func copyXattrs(source, target *os.File) error {
	return eachXattr(source, func(name string, value []byte) error {
		if name == labelAttribute {
			return nil
		}
		if err := unix.Fsetxattr(int(target.Fd()), name, value, 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
			return fmt.Errorf("copy extended attribute %s: %w", name, err)
		}
		return nil
	})
}

// eachXattr calls visit for each extended attribute of a file (xattr(7)).
func eachXattr(source *os.File, visit func(name string, value []byte) error) error {
	var list [64 << 10]byte // the most that the kernel keeps
	n, err := unix.Flistxattr(int(source.Fd()), list[:])
	if errors.Is(err, unix.ENOTSUP) || n == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list extended attributes: %w", err)
	}
	value := make([]byte, len(list))
	for name := range strings.SplitSeq(strings.TrimRight(string(list[:n]), "\x00"), "\x00") {
		size, err := unix.Fgetxattr(int(source.Fd()), name, value[:])
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

// exists tells whether the tree has something at a path of the container.
func exists(tree *os.Root, p string) bool {
	_, err := tree.Lstat(filepath.Clean(strings.TrimPrefix(p, "/")))
	return err == nil
}
