// SPDX-License-Identifier: Apache-2.0

// Package contentarchive writes the content of a sandbox to an archive and makes content of one. In: a tar stream that
// nobody needs to trust, and a sandbox; out: its content with a manifest. The verbs export and import call it.
package contentarchive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// Names in the archive of a sandbox, a tar of pax(1): NAME.sandbox comes first, then what lies in the content below
// archiveTree, and the manifest last, by which an archive that was cut short is told. Owners are numbers.
const (
	archiveTree     = "content"
	archiveManifest = "manifest"
)

// Records of pax(1) that hold extended attributes, as other programs write them too.
const (
	paxXattr = "SCHILY.xattr."
	paxLabel = "RHT.security.selinux"
)

// paxSparse begins records with which other programs write files with holes.
const paxSparse = "GNU.sparse."

// Export writes the content of a sandbox, which nothing may change meanwhile, and its manifest to an archive that has
// its config.
func Export(ctx context.Context, s *config.Sandbox, out *tar.Writer, progress *filetree.Progress) error {
	tree, err := os.OpenRoot(s.Content)
	if err != nil {
		return fmt.Errorf("open content directory: %w", err)
	}
	defer tree.Close()
	defer progress.Clear()
	e := exporter{ctx: ctx, out: out, links: make(map[filetree.Inode]string), progress: progress}
	if err := e.children(tree, "/"); err != nil {
		return err
	}
	manifest, err := filetree.ReadSmall(tree, filestate.ManifestName, filestate.MaxManifest)
	if err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	return AddText(out, archiveManifest, string(manifest))
}

// AddText adds a file to an archive.
func AddText(out *tar.Writer, name, text string) error {
	header := tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: int64(len(text)), Mode: 0o600, ModTime: time.Now(), Format: tar.FormatPAX,
	}
	if err := out.WriteHeader(&header); err != nil {
		return fmt.Errorf("write %s to the archive: %w", name, err)
	}
	if _, err := io.WriteString(out, text); err != nil {
		return fmt.Errorf("write %s to the archive: %w", name, err)
	}
	return nil
}

// exporter writes a tree to an archive. Like copier it opens every directory on its way and works relative to it.
type exporter struct {
	ctx      context.Context
	out      *tar.Writer
	links    map[filetree.Inode]string // first name in the archive of a file with several
	progress *filetree.Progress
	depth    int // of directories that are open

	length, stored int64 // of the files so far: as they are read, and on the disk
}

// Of an archive, holes of files are zeros. What has few of them is written whatever it is; what has more must not be so
// many times what it takes on the disk: root inside has a file of 15 TiB for nothing.
const (
	mayLack   = 64 << 30 // bytes
	mostTimes = 16
)

// ErrHollow is returned for files that have next to nothing but holes.
var ErrHollow = errors.New("it has too large a hole, which would be zeros in the archive; remove it, or use clone, " +
	"which leaves holes as they are")

// weigh counts a file. Errors: ErrHollow.
func (e *exporter) weigh(size, blocks int64) error {
	const block = 512 // bytes, as stat(2) counts them
	length, stored := e.length+size, e.stored+blocks*block
	if length < e.length || length-stored > mayLack && length/mostTimes > stored {
		return ErrHollow
	}
	e.length, e.stored = length, stored
	return nil
}

// children writes what lies in a directory, in the order of names where those are not too many for that.
func (e *exporter) children(dir *os.Root, p string) error {
	e.depth++
	defer func() { e.depth-- }()
	if e.depth > filetree.MaxDepth {
		return fmt.Errorf("export %s: %w", printable.Short(p, 200), filetree.ErrTooDeep)
	}
	var failure error // of an entry, which names that
	err := filetree.EachNames(dir, func(names []string) error {
		slices.Sort(names)
		for _, name := range names {
			if err := e.ctx.Err(); err != nil {
				failure = context.Cause(e.ctx)
				return failure
			}
			child := path.Join(p, name)
			if content.IsRecord(child) {
				continue
			}
			if failure = e.entry(dir, child, name); failure != nil {
				return failure
			}
		}
		return nil
	})
	if err != nil && failure == nil {
		return fmt.Errorf("export %s: %w", printable.Quoted(p), filetree.WithoutPath(err))
	}
	return failure
}

// entry writes one directory entry. Sockets and devices are left out.
func (e *exporter) entry(dir *os.Root, p, name string) error {
	info, err := dir.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		header := e.header(p, info)
		switch info.Mode().Type() {
		case fs.ModeDir:
			return e.directory(dir, p, name, header)
		case fs.ModeSymlink:
			header.Typeflag = tar.TypeSymlink
			if header.Linkname, err = dir.Readlink(name); err == nil {
				err = e.out.WriteHeader(header)
			}
		case fs.ModeNamedPipe:
			header.Typeflag = tar.TypeFifo
			err = e.out.WriteHeader(header)
		case 0:
			err = e.file(dir, p, name, info, header)
		case fs.ModeDevice | fs.ModeCharDevice:
			if isWhiteout(p, info) {
				header.Typeflag = tar.TypeChar
				err = e.out.WriteHeader(header)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("export %s: %w", printable.Quoted(p), filetree.WithoutPath(err))
	}
	return nil
}

// isWhiteout tells of what stands for a file of the host's /etc that was deleted inside.
func isWhiteout(p string, info fs.FileInfo) bool {
	s := info.Sys().(*syscall.Stat_t)
	return pathname.IsBelow(p, "/etc") && filetree.IsWhiteout(&unix.Stat_t{Mode: s.Mode, Rdev: s.Rdev})
}

func (e *exporter) header(p string, info fs.FileInfo) *tar.Header {
	s := info.Sys().(*syscall.Stat_t)
	return &tar.Header{
		Name: archiveTree + p, Mode: int64(s.Mode & 0o7777), Uid: int(s.Uid), Gid: int(s.Gid),
		ModTime: info.ModTime(), Format: tar.FormatPAX,
	}
}

func (e *exporter) directory(parent *os.Root, p, name string, header *tar.Header) error {
	fail := func(err error) error {
		return fmt.Errorf("export %s: %w", printable.Quoted(p), filetree.WithoutPath(err))
	}
	dir, err := parent.OpenRoot(name)
	if err != nil {
		return fail(err)
	}
	defer dir.Close()
	f, err := dir.Open(".")
	if err != nil {
		return fail(err)
	}
	header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
	header.PAXRecords, err = recordsOf(f)
	f.Close()
	if err == nil {
		err = e.out.WriteHeader(header)
	}
	if err != nil {
		return fail(err)
	}
	return e.children(dir, p)
}

func (e *exporter) file(dir *os.Root, p, name string, info fs.FileInfo, header *tar.Header) error {
	s := info.Sys().(*syscall.Stat_t)
	if id := (filetree.Inode{Device: uint64(s.Dev), Number: s.Ino}); s.Nlink > 1 {
		if first, written := e.links[id]; written {
			header.Typeflag, header.Linkname = tar.TypeLink, first
			return e.out.WriteHeader(header)
		}
		if !content.IsOfOne(p) && len(e.links) < filetree.MaxLinks {
			// An import may leave those out: what has another name too then needs its data.
			e.links[id] = header.Name
		}
	}
	f, err := dir.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := e.weigh(info.Size(), s.Blocks); err != nil {
		return err
	}
	header.Typeflag, header.Size = tar.TypeReg, info.Size()
	if header.PAXRecords, err = recordsOf(f); err != nil {
		return err
	}
	if err := e.out.WriteHeader(header); err != nil {
		return err
	}
	data := filetree.ProgressReader{Ctx: e.ctx, From: f, Progress: e.progress}
	buffer := make([]byte, filetree.BufferSize)
	n, err := io.CopyBuffer(struct{ io.Writer }{e.out}, io.LimitReader(data, header.Size), buffer)
	if err == nil && n < header.Size {
		err = errors.New("it became shorter while it was read")
	}
	return err
}

// recordsOf returns the extended attributes of a file as records of an archive. An archive cannot have one without a
// value.
func recordsOf(f *os.File) (map[string]string, error) {
	records := make(map[string]string)
	err := filetree.EachXattr(int(f.Fd()), func(name string, value []byte) error {
		switch {
		case filetree.IsLayerNote(name):
		case name == filetree.LabelAttribute:
			records[paxLabel] = strings.TrimRight(string(value), "\x00")
		default:
			records[paxXattr+escapeKey(name)] = string(value)
		}
		return nil
	})
	maps.DeleteFunc(records, func(_, value string) bool { return value == "" })
	return records, err
}

// escapeKey writes the name of an attribute as the key of a record, which ends at the first equals sign; GNU tar does
// it so too.
func escapeKey(name string) string { return strings.NewReplacer("%", "%25", "=", "%3D").Replace(name) }

func unescapeKey(key string) string { return strings.NewReplacer("%25", "%", "%3D", "=").Replace(key) }
