// SPDX-License-Identifier: Apache-2.0

package contentarchive

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
)

// Import makes the content of a sandbox, at a place that is marked as being created, from the rest of an archive whose
// config has been read. Nobody needs to trust the archive: nothing is made outside of the content, no devices, and
// nothing where a mount of the container would lead out. from is what the archive's config says. With another identity
// what is for one sandbox alone is left out, as by Clone. Private paths that the archive does not have are taken from
// the sandbox, and are returned: they would be filled from this host.
func Import(ctx context.Context, h content.Host, from, to *config.Sandbox, in *tar.Reader,
	progress *filetree.Progress,
) (lacking []string, err error) {
	tree, err := os.OpenRoot(to.Content)
	if err != nil {
		return nil, fmt.Errorf("open content directory: %w", err)
	}
	defer tree.Close()
	defer progress.Clear()
	i := importer{
		ctx: ctx, in: in, tree: tree, progress: progress,
		made: map[string]byte{"/": tar.TypeDir}, left: make(map[string]bool),
	}
	// These two Prepare makes by the config.
	i.leave = func(p string) bool { return p == "/etc/hostname" || p == "/etc/machine-id" || content.IsRecord(p) }
	if from.MachineID != to.MachineID {
		i.leave = content.IsOfOne
	}
	err = h.WithLabel(to, func() error {
		if err := i.all(); err != nil {
			return err
		}
		return content.Rename(tree, from, to, i.entries)
	})
	if err != nil {
		return nil, err
	}
	to.Private = slices.DeleteFunc(to.Private, func(p config.PrivatePath) bool {
		_, found := i.made[p.Path]
		if !found {
			lacking = append(lacking, p.Path)
		}
		return !found
	})
	return lacking, nil
}

// importer makes a tree from an archive.
type importer struct {
	ctx      context.Context
	in       *tar.Reader
	tree     *os.Root
	made     map[string]byte // by path of the container: the type of the member
	dirs     []importedDir
	entries  []filestate.Entry
	leave    func(p string) bool
	left     map[string]bool // by path that was left out: whether it is a directory, of which all is left out too
	progress *filetree.Progress
}

// importedDir is a directory whose attributes it gets last, since filling it changes its times and needs its
// permission.
type importedDir struct {
	path       string
	attributes filetree.Attributes
	xattrs     map[string][]byte
}

func (i *importer) all() error {
	for {
		if i.ctx.Err() != nil {
			return context.Cause(i.ctx)
		}
		header, err := i.in.Next()
		if errors.Is(err, io.EOF) {
			return errors.New("read archive: it has no manifest at its end, so that it is not whole")
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		if header.Name == archiveManifest {
			if err := i.manifest(header); err != nil {
				return fmt.Errorf("read archive: manifest: %w", err)
			}
			return i.finish()
		}
		if err := i.member(header); err != nil {
			return fmt.Errorf("read archive: %s: %w", printable.Quoted(header.Name), filetree.WithoutPath(err))
		}
	}
}

// pathOf returns the path of the container that a member stands for.
func pathOf(name string) (string, error) {
	p, found := strings.CutPrefix(strings.TrimSuffix(name, "/"), archiveTree)
	if !found || !strings.HasPrefix(p, "/") || strings.ContainsRune(p, 0) || path.Clean(p) != p || p == "/" {
		return "", errors.New("its name is not one of a sandbox's archive")
	}
	return p, nil
}

// member makes what one member stands for, in a directory that another one stood for.
func (i *importer) member(header *tar.Header) error {
	p, err := pathOf(header.Name)
	if err != nil {
		return err
	}
	if i.leave(p) || i.left[path.Dir(p)] {
		i.left[p] = header.Typeflag == tar.TypeDir
		return nil
	}
	if err := i.check(p, header); err != nil {
		return err
	}
	a, err := attributesOf(header)
	if err != nil {
		return err
	}
	name := strings.TrimPrefix(p, "/")
	switch header.Typeflag {
	case tar.TypeDir:
		err = i.directory(p, header, a)
	case tar.TypeSymlink:
		err = i.symlink(name, header, a)
	case tar.TypeFifo:
		err = i.pipe(name, a)
	case tar.TypeLink:
		err = i.link(name, header)
	case tar.TypeChar:
		err = i.inDir(name, func(dir *os.File) error { return filetree.MakeWhiteout(int(dir.Fd()), path.Base(name)) })
	case tar.TypeReg:
		err = i.file(name, header, a)
	}
	i.made[p] = header.Typeflag
	return err
}

// check refuses members that no export makes. Above all that is mounted into a container there must be directories, and
// what is mounted must be what it is on hosts: a link would lead the mount elsewhere.
func (i *importer) check(p string, header *tar.Header) error {
	kind := header.Typeflag
	// It stands for a file of the host's that was deleted, and is no device.
	isWhiteout := kind == tar.TypeChar && header.Devmajor == 0 && header.Devminor == 0 && pathname.IsBelow(p, "/etc")
	taken := []byte{tar.TypeDir, tar.TypeSymlink, tar.TypeFifo, tar.TypeLink, tar.TypeReg}
	if !isWhiteout && !slices.Contains(taken, kind) {
		return errors.New("only directories, files, links and named pipes are taken, no devices")
	}
	for record := range header.PAXRecords {
		if strings.HasPrefix(record, paxSparse) {
			// A few bytes of an archive would be as many zeros as they like.
			return errors.New("files with holes are none that an export makes")
		}
	}
	if parent := path.Dir(p); i.made[parent] != tar.TypeDir {
		return fmt.Errorf("there is no directory %s before it", printable.Quoted(parent))
	}
	if _, twice := i.made[p]; twice {
		return errors.New("it is there twice")
	}
	isTop := path.Dir(p) == "/" || p == "/etc/systemd" || p == "/"+content.SystemDir
	if isTop && kind != tar.TypeDir {
		return errors.New("it is not a directory")
	}
	if slices.Contains(privatepaths.OwnFiles(), p) && kind != tar.TypeReg && !isWhiteout {
		return errors.New("it is not a file")
	}
	if pathname.IsBelow(p, "/"+filestate.OwnDir) && kind != tar.TypeReg && kind != tar.TypeDir {
		return errors.New("in the part that no container sees there are only files and directories")
	}
	return nil
}

func attributesOf(header *tar.Header) (filetree.Attributes, error) {
	if header.Uid < 0 || header.Gid < 0 || header.Uid > math.MaxUint32-1 || header.Gid > math.MaxUint32-1 {
		return filetree.Attributes{}, errors.New("its owner is none that a file can have")
	}
	stamp, err := unix.TimeToTimespec(header.ModTime)
	if err != nil || header.ModTime.Year() > 9999 || header.ModTime.Before(time.Unix(math.MinInt32, 0)) {
		return filetree.Attributes{}, errors.New("its time is none that a file can have")
	}
	return filetree.Attributes{
		Uid: uint32(header.Uid), Gid: uint32(header.Gid), Mode: uint32(header.Mode & 0o7777),
		Times: []unix.Timespec{stamp, stamp},
	}, nil
}

// xattrsOf returns the extended attributes of a member that are the container's own business; others are the kernel's,
// or of what lies below its file systems.
func xattrsOf(header *tar.Header) map[string][]byte {
	found := make(map[string][]byte)
	for key, value := range header.PAXRecords {
		name, isXattr := strings.CutPrefix(key, paxXattr)
		name = unescapeKey(name)
		isOwn := strings.HasPrefix(name, "user.") || name == "security.capability" ||
			strings.HasPrefix(name, "system.posix_acl_") ||
			name == filetree.OpaqueAttribute && value == "y" && header.Typeflag == tar.TypeDir
		if isXattr && isOwn {
			found[name] = []byte(value)
		}
	}
	return found
}

func setXattrs(f *os.File, xattrs map[string][]byte) error {
	for name, value := range xattrs {
		if err := unix.Fsetxattr(int(f.Fd()), name, value, 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
			return fmt.Errorf("set extended attribute %s: %w", printable.Quoted(name), err)
		}
	}
	return nil
}

func (i *importer) directory(p string, header *tar.Header, a filetree.Attributes) error {
	err := i.tree.Mkdir(strings.TrimPrefix(p, "/"), 0o700)
	if errors.Is(err, fs.ErrExist) && p == "/"+filestate.OwnDir {
		// It has the mark that the content is being created.
		return nil
	}
	i.dirs = append(i.dirs, importedDir{p, a, xattrsOf(header)})
	return err
}

func (i *importer) symlink(name string, header *tar.Header, a filetree.Attributes) error {
	if err := i.tree.Symlink(header.Linkname, name); err != nil {
		return err
	}
	if err := i.tree.Lchown(name, int(a.Uid), int(a.Gid)); err != nil {
		return err
	}
	return i.inDir(name, func(dir *os.File) error {
		return unix.UtimesNanoAt(int(dir.Fd()), path.Base(name), a.Times, unix.AT_SYMLINK_NOFOLLOW)
	})
}

func (i *importer) pipe(name string, a filetree.Attributes) error {
	return i.inDir(name, func(dir *os.File) error { return filetree.MakePipe(int(dir.Fd()), path.Base(name), a) })
}

// inDir calls do with the directory of a path in the tree.
func (i *importer) inDir(name string, do func(*os.File) error) error {
	dir, err := i.tree.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	return do(dir)
}

func (i *importer) link(name string, header *tar.Header) error {
	target, err := pathOf(header.Linkname)
	if err != nil || i.made[target] != tar.TypeReg && i.made[target] != tar.TypeLink {
		return fmt.Errorf("there is no file %s before it", printable.Quoted(header.Linkname))
	}
	return i.tree.Link(strings.TrimPrefix(target, "/"), name)
}

func (i *importer) file(name string, header *tar.Header, a filetree.Attributes) error {
	f, err := i.tree.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := writeSparse(f, filetree.ProgressReader{Ctx: i.ctx, From: i.in, Progress: i.progress}); err != nil {
		return err
	}
	return a.Give(int(f.Fd()), func() error { return setXattrs(f, xattrsOf(header)) })
}

// writeSparse fills an empty file, with holes where there are blocks of zeros: an archive has none.
func writeSparse(to *os.File, from io.Reader) error {
	const block = 4096
	buffer, zeros := make([]byte, 64*block), make([]byte, 64*block)
	for at := int64(0); ; {
		n, err := io.ReadFull(from, buffer)
		for begin := 0; begin < n; {
			end := min(begin+block, n)
			isHole := bytes.Equal(buffer[begin:end], zeros[:end-begin])
			// Blocks of one kind go together.
			for end < n && bytes.Equal(buffer[end:min(end+block, n)], zeros[:min(end+block, n)-end]) == isHole {
				end = min(end+block, n)
			}
			if !isHole {
				if _, err := to.WriteAt(buffer[begin:end], at+int64(begin)); err != nil {
					return err
				}
			}
			begin = end
		}
		at += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return to.Truncate(at)
		}
		if err != nil {
			return err
		}
	}
}

// finish gives directories their attributes, the innermost first.
func (i *importer) finish() error {
	for _, d := range slices.Backward(i.dirs) {
		f, err := i.tree.Open(strings.TrimPrefix(d.path, "/"))
		if err == nil {
			err = d.attributes.Give(int(f.Fd()), func() error { return setXattrs(f, d.xattrs) })
			f.Close()
		}
		if err != nil {
			return fmt.Errorf("import %s: %w", printable.Quoted(d.path), filetree.WithoutPath(err))
		}
	}
	return nil
}

func (i *importer) manifest(header *tar.Header) error {
	if header.Typeflag != tar.TypeReg || header.Size > filestate.MaxManifest {
		return errors.New("it is not a file, or too large")
	}
	entries, err := filestate.ReadEntries(i.in)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := checkEntry(e); err != nil {
			return err
		}
	}
	i.entries = entries
	return nil
}

// checkEntry reports whether an entry can be of a manifest that Prepare wrote.
func checkEntry(e filestate.Entry) error {
	digest, found := strings.CutPrefix(e.Digest, "sha256:")
	bytes, err := hex.DecodeString(digest)
	switch {
	case !path.IsAbs(e.Path) || path.Clean(e.Path) != e.Path || strings.ContainsRune(e.Path, 0):
		return fmt.Errorf("%q is not a path", e.Path)
	case !slices.Contains([]string{"directory", "file", "symlink"}, e.Type):
		return fmt.Errorf("%q: unknown type %q", e.Path, e.Type)
	case e.Digest != "" && (!found || err != nil || len(bytes) != 32):
		return fmt.Errorf("%q: %q is not a digest", e.Path, e.Digest)
	case privatepaths.EscapeOrigin(e.Origin) != e.Origin:
		return fmt.Errorf("%q: %q is not an origin", e.Path, e.Origin)
	}
	return nil
}
