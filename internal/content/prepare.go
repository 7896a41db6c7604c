// SPDX-License-Identifier: Apache-2.0

package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/moby/sys/mountinfo"
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
	"github.com/virt-sandbox/virt-sandbox/internal/selfsigned"
	"github.com/virt-sandbox/virt-sandbox/internal/wellformed"
)

// Prepare brings the tree of a sandbox into being, or completes one that an interrupted run left, or adds what the
// config newly asks for. What is already complete is never touched: it belongs to the administrator.
//
// A directory that virt-sandbox did not make is refused.
func (h Host) Prepare(ctx context.Context, s *config.Sandbox, progress *filetree.Progress) error {
	state, err := Inspect(s.Content)
	if err != nil {
		return err
	}
	if state == Foreign {
		return fmt.Errorf("%s is not content of virt-sandbox; correct content= of %s", s.Content, s.Name)
	}
	if err := os.MkdirAll(filepath.Dir(s.Content), 0o755); err != nil {
		return fmt.Errorf("make content directory: %w", err)
	}
	if err := h.WithLabel(s, func() error { return h.fill(ctx, s, progress) }); err != nil {
		return err
	}
	return h.linkJournal(s)
}

// open opens a content directory, for paths below it and for a copier.
func open(dir string) (tree *os.Root, top *os.File, err error) {
	if tree, err = os.OpenRoot(dir); err == nil {
		if top, err = tree.Open("."); err != nil {
			tree.Close()
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open content directory: %w", err)
	}
	return tree, top, nil
}

// fill is Prepare below the content directory.
func (h Host) fill(ctx context.Context, s *config.Sandbox, progress *filetree.Progress) error {
	if err := os.MkdirAll(filepath.Join(s.Content, filestate.OwnDir), 0o700); err != nil {
		return fmt.Errorf("make content directory: %w", err)
	}
	tree, to, err := open(s.Content)
	if err != nil {
		return err
	}
	defer tree.Close()
	defer to.Close()
	host, err := os.Open(h.Root + "/")
	if err != nil {
		return fmt.Errorf("open root directory: %w", err)
	}
	defer host.Close()

	_, err = tree.Lstat(filestate.ManifestName)
	complete := err == nil
	// What an earlier run put is read only where something of it is gone.
	put := sync.OnceValues(func() (filestate.Put, error) { return filestate.ReadPut(s.Content) })
	b := newBuilder(h, s, tree)
	b.complete, b.put = complete, put
	defer b.close()
	if err := b.identify(); err != nil {
		return err
	}
	if err := b.skeleton(); err != nil {
		return fmt.Errorf("make content of %s: %w", s.Name, err)
	}
	c := copier{
		host: host, tree: to, whole: s.Copy, progress: progress, skip: privatepaths.IsHostIdentity,
		links: make(map[filetree.Inode]string), fresh: !complete,
		owned: sync.OnceValues(func() (map[string]*privatepaths.OwnedFile, error) {
			return privatepaths.Planner(h).Owned(ctx, s.Private)
		}),
		certificate: sync.OnceValues(func() (*selfsigned.Certificate, error) {
			return selfsigned.New(wellformed.Hostname(s.Name))
		}),
	}
	defer progress.Clear()
	if err := c.private(ctx, tree, s.Private, put); err != nil {
		return err
	}
	if err := b.mountPoints(); err != nil {
		return err
	}
	if err := b.systemd(ctx); err != nil {
		return fmt.Errorf("make units of %s: %w", s.Name, err)
	}
	if err := b.etc(); err != nil {
		return fmt.Errorf("make content of %s: %w", s.Name, err)
	}
	added := append(b.entries, c.entries...)
	if !complete || len(added) > 0 {
		if err := filestate.WriteManifest(tree, added); err != nil {
			return err
		}
	}
	if err := tree.Remove(filestate.AddingName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("finish content of %s: %w", s.Name, err)
	}
	return nil
}

// maxAdding bounds the list of private paths that are being added, in bytes.
const maxAdding = 4 << 20

// private brings the private paths into the tree. What is added to complete content is noted first, so that it is told
// from the administrator's after an interruption. What was put once and is gone has been removed inside: it is made
// bare, as a place to mount at. Else a container would have what came to the host meanwhile by removing what it has.
func (c *copier) private(
	ctx context.Context, tree *os.Root, paths []config.PrivatePath, put func() (filestate.Put, error),
) error {
	noted, err := filetree.ReadSmall(tree, filestate.AddingName, maxAdding)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for unfinished content: %w", err)
	}
	adding := strings.Split(string(noted), "\n")
	for _, p := range paths {
		if !c.fresh && !slices.Contains(adding, p.Path) {
			if exists(tree, p.Path) || filetree.IsDeleted(tree, p.Path) {
				continue
			}
			was, err := put()
			if err != nil {
				return err
			}
			if was.Below(p.Path) {
				if err := c.remake(ctx, p); err != nil {
					return err
				}
				continue
			}
			adding = append(adding, p.Path)
			if err := tree.WriteFile(filestate.AddingName, []byte(strings.Join(adding, "\n")), 0o600); err != nil {
				return fmt.Errorf("note unfinished content: %w", err)
			}
		}
		if err := c.Place(ctx, p.Path, p.Origin); err != nil {
			return err
		}
	}
	return nil
}

// remake makes a path that was removed inside: empty, and without a note, since what the manifest says of it still
// holds.
func (c *copier) remake(ctx context.Context, p config.PrivatePath) error {
	bare := *c
	bare.whole, bare.entries, bare.owned = false, nil, nil
	err := bare.Place(ctx, p.Path, p.Origin)
	c.buffer = bare.buffer
	return err
}

// NotePrivate records paths that became private to a container which is up, and in whose content nothing is made
// therefore: at the next start each is made bare, since only the packages' files of them come from the host.
func (h Host) NotePrivate(s *config.Sandbox, added []config.PrivatePath) error {
	put, err := filestate.ReadPut(s.Content)
	if err != nil {
		return err
	}
	var entries []filestate.Entry
	for _, p := range added {
		info, err := os.Lstat(h.Root + p.Path)
		if put.Below(p.Path) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("note new private paths: %w", err)
		}
		stat := info.Sys().(*syscall.Stat_t)
		v := filestate.Version{Kind: filestate.KindOfMode(stat.Mode)}
		e := filestate.Entry{Path: p.Path, Type: v.TypeName(), Origin: p.Origin}
		e.SetAttributes(stat.Mode, stat.Uid, stat.Gid)
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		return nil
	}
	tree, err := os.OpenRoot(s.Content)
	if err != nil {
		return fmt.Errorf("note new private paths: %w", err)
	}
	defer tree.Close()
	return filestate.WriteManifest(tree, entries)
}

// MarkCreating claims the content directory for a create that has no config yet, so that what it leaves when it is
// killed can be told from content whose config was lost.
func (h Host) MarkCreating(s *config.Sandbox) error {
	if err := os.MkdirAll(filepath.Dir(s.Content), 0o755); err != nil {
		return fmt.Errorf("make content directory: %w", err)
	}
	return h.WithLabel(s, func() error {
		if err := os.MkdirAll(filepath.Join(s.Content, filestate.OwnDir), 0o700); err != nil {
			return fmt.Errorf("make content directory: %w", err)
		}
		if err := os.WriteFile(filepath.Join(s.Content, filestate.CreatingName), nil, 0o600); err != nil {
			return fmt.Errorf("mark content directory: %w", err)
		}
		return nil
	})
}

// UnmarkCreating ends the claim.
func UnmarkCreating(dir string) error {
	if err := os.Remove(filepath.Join(dir, filestate.CreatingName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("unmark content directory: %w", err)
	}
	return nil
}

// State tells what lies at a content directory.
type State int

// What can lie at a content directory.
const (
	Absent   State = iota // nothing, or an empty directory or file system
	Creating              // what an unfinished create left
	Ours                  // content of a sandbox
	Foreign               // something that virt-sandbox did not make
)

// Inspect tells what lies at dir.
func Inspect(dir string) (State, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return Absent, nil
	}
	if err != nil {
		return Foreign, fmt.Errorf("look at content directory: %w", err)
	}
	// A file system that was made just now has it.
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == "lost+found" && e.IsDir() })
	if len(entries) == 0 {
		return Absent, nil
	}
	if _, err := os.Lstat(filepath.Join(dir, filestate.CreatingName)); err == nil {
		return Creating, nil
	}
	if info, err := os.Lstat(filepath.Join(dir, filestate.OwnDir)); err != nil || !info.IsDir() {
		return Foreign, nil
	}
	own, err := os.ReadDir(filepath.Join(dir, filestate.OwnDir))
	if err == nil && len(own) == 0 && len(entries) == 1 {
		// Killed between making the directory and marking it.
		return Creating, nil
	}
	return Ours, nil
}

// Remove deletes the content at dir, and the host's links to journals in it, whichever machine ID they are for: that
// of the content is what root inside wrote. A tree that something is mounted in is refused, since what is mounted there
// would be deleted as well.
func (h Host) Remove(dir string) error {
	if err := h.UnlinkJournals(dir); err != nil {
		return err
	}
	actual, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove content: %w", err)
	}
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(actual))
	if err != nil {
		return fmt.Errorf("read mounts: %w", err)
	}
	if len(mounts) > 0 {
		return fmt.Errorf("remove content: something is mounted at %s; unmount it first", mounts[0].Mountpoint)
	}
	// The part that says whose this is goes last, so that a deletion that was cut short can be told and taken up.
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove content: %w", err)
	}
	for _, e := range entries {
		if e.Name() == filestate.OwnDir {
			continue
		}
		if err := filetree.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("remove content: %w", err)
		}
	}
	if err := filetree.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove content: %w", err)
	}
	return nil
}

// MachineID is that of the host; "" where it has none.
func (h Host) MachineID() string {
	tree, err := os.OpenRoot(h.Root + "/")
	if err != nil {
		return ""
	}
	defer tree.Close()
	f, err := filetree.OpenRegular(tree, "etc/machine-id")
	if err != nil {
		return ""
	}
	defer f.Close()
	var text [33]byte
	n, _ := io.ReadFull(f, text[:])
	id := strings.TrimSpace(string(text[:n]))
	if !filestate.IsMachineID(id) {
		return ""
	}
	return id
}
