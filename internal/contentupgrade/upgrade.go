// SPDX-License-Identifier: Apache-2.0

// Package contentupgrade brings the content of a sandbox up to date with the packages of the host. In: content with its
// manifest, and what packages have now; out: changes, each as one line for a person. The verb upgrade calls it.
package contentupgrade

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
)

// Options say what an upgrade may do.
type Options struct {
	DryRun        bool // write nothing
	RemoveDropped bool // remove what packages dropped and nobody changed
}

// ErrIncomplete is returned by Run for content that no create or start has completed.
var ErrIncomplete = errors.New("its content is not complete yet")

// Run brings content up to date with the packages, by what the manifest says was put there. What is unchanged in the
// container follows the package, what was changed there stays, and so does what an administrator had changed on the
// host before it was copied. The host's files are where the packages' are taken from; one that was changed on the host
// is looked for beside it, where the package manager left it.
//
// The container may run, and its root may change the content meanwhile. Every file appears whole, and the manifest is
// written last: an upgrade that was killed is completed by the next. Errors: ErrIncomplete.
func Run(ctx context.Context, h content.Host, s *config.Sandbox, options Options) ([]content.Change, error) {
	if _, err := os.Lstat(filepath.Join(s.Content, filestate.ManifestName)); err != nil {
		return nil, fmt.Errorf("%s: %w; start it first", s.Name, ErrIncomplete)
	}
	var changes []content.Change
	err := h.WithLabel(s, func() (err error) {
		changes, err = upgradeTree(ctx, h, s, options)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("upgrade content of %s: %w", s.Name, err)
	}
	return changes, nil
}

func upgradeTree(ctx context.Context, h content.Host, s *config.Sandbox, options Options) ([]content.Change, error) {
	entries, err := filestate.ReadManifest(s.Content)
	if err != nil {
		return nil, err
	}
	owned, err := privatepaths.Planner(h).Owned(ctx, s.Private)
	if err != nil {
		return nil, err
	}
	u := upgrade{options: options, sandbox: s, was: make(map[string]filestate.Entry)}
	if u.trees, err = filestate.OpenTrees(h.Root, s.Content); err != nil {
		return nil, err
	}
	defer u.trees.Close()
	for _, e := range entries {
		u.was[e.Path] = e
	}
	if !options.DryRun {
		if err := u.trees.Clear(); err != nil {
			return nil, err
		}
	}
	// Bare content has nothing of the packages' that could follow them.
	for _, p := range slices.Sorted(maps.Keys(owned)) {
		if !s.Copy {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		if err := u.path(owned[p]); err != nil {
			return nil, fmt.Errorf("%s: %w", printable.Quoted(p), err)
		}
	}
	installed := make(map[string]bool)
	for _, e := range entries {
		if e.Package == "" || owned[e.Path] != nil || config.CheckPath(e.Path) != nil {
			continue
		}
		if _, asked := installed[e.Package]; !asked {
			if installed[e.Package], err = privatepaths.Planner(h).IsInstalled(ctx, e.Package); err != nil {
				return nil, err
			}
		}
		if !installed[e.Package] {
			// It was removed, or is half way to another version: it has dropped nothing.
			continue
		}
		if err := u.dropped(e); err != nil {
			return nil, fmt.Errorf("%s: %w", printable.Quoted(e.Path), err)
		}
	}
	if options.DryRun || len(u.entries) == 0 {
		return u.changes, nil
	}
	tree, err := os.OpenRoot(s.Content)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	if err := u.trees.Sync(); err != nil {
		return nil, err
	}
	return u.changes, filestate.WriteManifest(tree, u.entries)
}

// upgrade is one upgrade of one content.
type upgrade struct {
	options Options
	sandbox *config.Sandbox
	trees   *filestate.Trees
	was     map[string]filestate.Entry // the manifest
	entries []filestate.Entry          // what is new in it
	changes []content.Change
}

func (u *upgrade) change(p string, action content.Action) {
	u.changes = append(u.changes, content.Change{Path: p, Action: action})
}

// note records a path as it is now. Nothing is written for what the manifest says already.
func (u *upgrade) note(e filestate.Entry) {
	if u.was[e.Path] != e {
		u.entries = append(u.entries, e)
	}
}

// path brings one path of a package up to date.
func (u *upgrade) path(f *privatepaths.OwnedFile) error {
	kind := u.trees.KindOf(f)
	if kind == filestate.KindOther || (kind == filestate.KindFile && f.Digest == "") {
		// The package does not say what it ships here, as of a %ghost file.
		return nil
	}
	entry, known := u.was[f.Path]
	at, err := u.trees.Find(f.Path)
	if errors.Is(err, filestate.ErrBlocked) {
		u.change(f.Path, content.ActionBlocked)
		return nil
	}
	if errors.Is(err, unix.ENOENT) {
		// So is its directory.
		return u.absent(f, entry, known)
	}
	if err != nil {
		return err
	}
	defer at.Close()
	mine, err := at.Look(f.Digest, entry)
	if err != nil {
		return err
	}
	switch {
	case mine.Kind == filestate.KindAbsent:
		return u.absent(f, entry, known)
	case mine.Kind == filestate.KindDirectory && kind == filestate.KindDirectory:
		return u.attributes(f, at, mine, entry)
	case mine.Kind == filestate.KindDirectory || kind == filestate.KindDirectory:
		u.change(f.Path, content.ActionBlocked)
		return nil
	case mine.IsShipped(f):
		entry = u.entryOf(f, mine, entry)
		entry.Edited = false
		return u.attributesOf(f, at, mine, entry)
	case known && entry.Shipped == f.Shipped():
		u.change(f.Path, content.ActionKept)
		return nil
	}
	unchanged := known && entry.Shipped != "" && !entry.Edited && mine.IsAsPut(entry)
	return u.replace(f, at, mine, entry, unchanged)
}

// absent handles a path that the container lacks: a new one is added; one that was there has been removed on purpose,
// or its directory was.
func (u *upgrade) absent(f *privatepaths.OwnedFile, entry filestate.Entry, known bool) error {
	if known || u.parentRemoved(f.Path) {
		if known && entry.Shipped != f.Shipped() {
			u.change(f.Path, content.ActionKept)
			entry.Shipped = f.Shipped()
			u.note(entry)
		}
		return nil
	}
	source, err := u.trees.Source(f, true)
	if source == nil || err != nil {
		// The host does not have it either.
		return err
	}
	defer source.Close()
	u.change(f.Path, content.ActionAdded)
	if u.options.DryRun {
		return nil
	}
	at, err := u.trees.MakeParents(f.Path)
	if errors.Is(err, filestate.ErrBlocked) {
		u.changes[len(u.changes)-1].Action = content.ActionBlocked
		return nil
	}
	if err != nil {
		return err
	}
	defer at.Close()
	made, err := u.trees.Put(source, nil)
	if err != nil {
		return err
	}
	if err := u.trees.MoveNew(at); err != nil {
		if errors.Is(err, unix.EEXIST) {
			// Made inside just now.
			u.changes[len(u.changes)-1].Action = content.ActionBlocked
			return nil
		}
		return err
	}
	entry = u.entryOf(f, made, filestate.Entry{Origin: originOf(u.sandbox, f.Path)})
	entry.Edited = source.Edited
	entry.SetAttributes(made.Stat.Mode, made.Stat.Uid, made.Stat.Gid)
	u.note(entry)
	return nil
}

// parentRemoved reports whether a directory that was put on the way to p is gone.
func (u *upgrade) parentRemoved(p string) bool {
	for dir := filepath.Dir(p); dir != "/"; dir = filepath.Dir(dir) {
		if _, known := u.was[dir]; !known {
			continue
		}
		at, err := u.trees.Find(dir)
		if err != nil {
			return errors.Is(err, unix.ENOENT)
		}
		mine, err := at.Look("", filestate.Entry{})
		at.Close()
		return err == nil && mine.Kind == filestate.KindAbsent
	}
	return false
}

// replace puts the package's new version in the place of a file that is unchanged in the container, and beside any
// other.
func (u *upgrade) replace(
	f *privatepaths.OwnedFile, at *filestate.Place, mine *filestate.Version, entry filestate.Entry, unchanged bool,
) error {
	source, err := u.trees.Source(f, false)
	if err != nil {
		return err
	}
	if source == nil {
		u.change(f.Path, content.ActionUnavailable)
		return nil
	}
	defer source.Close()
	if unchanged {
		if u.options.DryRun {
			u.change(f.Path, content.ActionUpdated)
			return nil
		}
		made, err := u.trees.Put(source, u.keptAttributes(mine, entry))
		if err != nil {
			return err
		}
		if done, err := u.trees.MoveOver(at, entry); err != nil {
			return err
		} else if done {
			u.change(f.Path, content.ActionUpdated)
			next := u.entryOf(f, made, entry)
			next.Edited = false
			if entry.HasAttributes(mine) {
				next.SetAttributes(made.Stat.Mode, made.Stat.Uid, made.Stat.Gid)
			}
			u.note(next)
			return nil
		}
		// It was changed inside just now.
	}
	return u.beside(f, source, at, entry)
}

// keptAttributes returns mode and owner that were changed in the container, for a file that is replaced; nil where they
// were not.
func (u *upgrade) keptAttributes(mine *filestate.Version, entry filestate.Entry) *unix.Stat_t {
	if entry.HasAttributes(mine) || mine.Kind != filestate.KindFile {
		return nil
	}
	return &mine.Stat
}

// beside puts the package's version next to a file that was changed in the container, under a name that is free or its
// own from an earlier upgrade.
func (u *upgrade) beside(
	f *privatepaths.OwnedFile, source *filestate.Version, at *filestate.Place, entry filestate.Entry,
) error {
	const most = 100
	for n := 1; n <= most; n++ {
		suffix := f.NewSuffix
		if n > 1 {
			suffix = fmt.Sprintf("%s.%d", f.NewSuffix, n)
		}
		p := f.Path + suffix
		beside := at.Sibling(at.Name + suffix)
		old, oldKnown := u.was[p]
		there, err := beside.Look(f.Digest, old)
		if err != nil {
			return err
		}
		isFree := there.Kind == filestate.KindAbsent
		if !isFree && !there.IsShipped(f) && (!oldKnown || !there.IsAsPut(old)) {
			continue
		}
		u.changes = append(u.changes, content.Change{Path: f.Path, Action: content.ActionConflict, Beside: p})
		if u.options.DryRun {
			return nil
		}
		if !there.IsShipped(f) {
			if there, err = u.trees.Put(source, nil); err != nil {
				return err
			}
			move := u.trees.MoveNew
			if !isFree {
				move = func(at *filestate.Place) error {
					_, err := u.trees.MoveOver(at, old)
					return err
				}
			}
			if err := move(beside); err != nil && !errors.Is(err, unix.EEXIST) {
				return err
			}
		}
		put := filestate.Entry{
			Path: p, Type: there.TypeName(), Digest: there.Digest, Target: there.Target, Size: there.Size(),
			Origin: originOf(u.sandbox, f.Path),
		}
		u.note(put)
		// What is changed stays changed, and this version has been told of.
		entry.Path, entry.Type, entry.Origin = f.Path, filestate.EntryType(f, entry), put.Origin
		entry.Package, entry.Shipped, entry.Edited = f.Package, f.Shipped(), true
		u.note(entry)
		return nil
	}
	u.change(f.Path, content.ActionBlocked)
	return nil
}

// attributes has a directory follow the host's mode and owner.
func (u *upgrade) attributes(
	f *privatepaths.OwnedFile, at *filestate.Place, mine *filestate.Version, entry filestate.Entry,
) error {
	if entry.Path == "" {
		// It was there before: no mode of it is known to be the package's.
		entry = filestate.Entry{Path: f.Path, Type: "directory", Origin: originOf(u.sandbox, f.Path)}
	}
	entry.Package = f.Package
	return u.attributesOf(f, at, mine, entry)
}

// attributesOf has a path follow the host's mode and owner where nobody changed them, on either side, and notes it.
func (u *upgrade) attributesOf(
	f *privatepaths.OwnedFile, at *filestate.Place, mine *filestate.Version, entry filestate.Entry,
) error {
	switch wanted := u.trees.AttributesOf(f); {
	case wanted == nil || mine.Kind == filestate.KindSymlink:
	case filestate.SameAttributes(wanted, &mine.Stat):
		// Also those that an upgrade set which was killed.
		entry.SetAttributes(wanted.Mode, wanted.Uid, wanted.Gid)
	case entry.Mode != "" && entry.HasAttributes(mine):
		if !slices.ContainsFunc(u.changes, func(c content.Change) bool { return c.Path == f.Path }) {
			u.change(f.Path, content.ActionUpdated)
		}
		if !u.options.DryRun {
			if err := at.SetAttributes(mine, wanted); err != nil {
				return err
			}
			entry.SetAttributes(wanted.Mode, wanted.Uid, wanted.Gid)
		}
	}
	u.note(entry)
	return nil
}

// entryOf returns the entry of a path that is as the package has it.
func (u *upgrade) entryOf(f *privatepaths.OwnedFile, v *filestate.Version, entry filestate.Entry) filestate.Entry {
	if entry.Origin == "" {
		entry.Origin = originOf(u.sandbox, f.Path)
	}
	entry.Path, entry.Type = f.Path, v.TypeName()
	entry.Digest, entry.Target, entry.Size = v.Digest, v.Target, v.Size()
	entry.Package, entry.Shipped = f.Package, f.Shipped()
	return entry
}

// dropped tells of a path that its package has no more.
func (u *upgrade) dropped(e filestate.Entry) error {
	at, err := u.trees.Find(e.Path)
	if errors.Is(err, filestate.ErrBlocked) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer at.Close()
	mine, err := at.Look("", e)
	if err != nil || mine.Kind == filestate.KindAbsent || mine.TypeName() != e.Type {
		return err
	}
	action := content.ActionDropped
	if u.options.RemoveDropped && !e.Edited && e.Type != "directory" && u.sandbox.Copy && mine.IsAsPut(e) {
		action = content.ActionRemoved
		if !u.options.DryRun {
			removed, err := u.trees.Remove(at, e)
			if err != nil {
				return err
			}
			if removed {
				u.note(filestate.Entry{Path: e.Path})
			} else {
				action = content.ActionDropped
			}
		}
	}
	u.change(e.Path, action)
	return nil
}

// originOf returns the origin of the private path that p lies in.
func originOf(s *config.Sandbox, p string) string {
	for _, private := range s.Private {
		if pathname.IsWithin(p, private.Path) {
			return private.Origin
		}
	}
	return "admin"
}
