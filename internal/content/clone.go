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
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
)

// Clone copies the content of one sandbox to the place of another's, which is marked as being created. Nothing may
// change the first meanwhile. What tells the two apart is left out or renamed: Prepare, which comes next, makes what is
// missing. The units of the two are the same in number and order.
func (h Host) Clone(ctx context.Context, from, to *config.Sandbox, progress *filetree.Progress) error {
	entries, err := filestate.ReadManifest(from.Content)
	if err != nil {
		return err
	}
	source, err := os.Open(from.Content)
	if err != nil {
		return fmt.Errorf("open content directory: %w", err)
	}
	defer source.Close()
	tree, target, err := open(to.Content)
	if err != nil {
		return err
	}
	defer tree.Close()
	defer target.Close()
	defer progress.Clear()
	return h.WithLabel(to, func() error {
		c := copier{
			host: source, tree: target, whole: true, fresh: true, again: true, progress: progress,
			skip: IsOfOne, links: make(map[filetree.Inode]string),
		}
		if err := c.children(ctx, source, target, "/"); err != nil {
			return err
		}
		return Rename(tree, from, to, entries)
	})
}

// IsOfOne tells of files of a content that are for one sandbox alone: with a copy of them another could pose as it, or
// would be taken for it.
func IsOfOne(p string) bool {
	switch p {
	case "/etc/hostname", "/etc/machine-id", "/var/lib/dbus/machine-id", "/var/lib/systemd/random-seed",
		"/var/lib/systemd/credential.secret":
		return true
	}
	return pathname.IsBelow(p, "/var/log/journal") || privatepaths.IsHostIdentity(p) || IsRecord(p)
}

// IsRecord tells of what the part of the tree that no container sees has about one content at one time.
func IsRecord(p string) bool {
	switch strings.TrimPrefix(p, "/") {
	case filestate.IdentityName, filestate.ManifestName, filestate.CreatingName, filestate.AddingName,
		filestate.ConsoleLog, filestate.EtcWork:
		return true
	}
	return pathname.IsBelow(p, "/"+filestate.OwnDir) && strings.HasSuffix(p, ".new")
}

// Rename turns what names one sandbox in a copy of its content into the name of another, and writes the manifest.
func Rename(tree *os.Root, from, to *config.Sandbox, entries []filestate.Entry) error {
	units := RenamedUnits(from, to)
	if err := units.apply(tree, SystemDir); err != nil {
		return fmt.Errorf("rename units of %s: %w", to.Name, err)
	}
	if err := renameHost(tree, from.Name, to.Name); err != nil {
		return fmt.Errorf("rename host %s: %w", to.Name, err)
	}
	var renamed []filestate.Entry
	for _, e := range entries {
		if from.MachineID == to.MachineID || !pathname.IsBelow(e.Path, "/var/log/journal") {
			e.Path, e.Origin = units.path(e.Path), units.Origin(e.Origin)
			renamed = append(renamed, e)
		}
	}
	return filestate.WriteManifest(tree, renamed)
}

// NewNames gives units their new names, by the old ones.
type NewNames map[string]string

// RenamedUnits compares the units of two sandboxes, which are the same in number and order.
func RenamedUnits(from, to *config.Sandbox) NewNames {
	units := make(NewNames)
	for i, name := range from.Units {
		if name != to.Units[i] {
			units[name] = to.Units[i]
		}
	}
	return units
}

// unit returns the new name of a unit file, or of a directory that adds to one.
func (n NewNames) unit(name string) string {
	if renamed, found := n[name]; found {
		return renamed
	}
	stem, kind := strings.TrimSuffix(name, path.Ext(name)), path.Ext(name)
	if renamed, found := n[stem]; found && slices.Contains(unitDirKinds(), kind) {
		return renamed + kind
	}
	return name
}

// unitDirKinds are the suffixes of directories beside a unit file (systemd.unit(5)).
func unitDirKinds() []string { return []string{".d", ".wants", ".requires", ".upholds"} }

// path returns the new place of a path of the container.
func (n NewNames) path(p string) string {
	rest, found := strings.CutPrefix(p, "/"+SystemDir+"/")
	if !found {
		return p
	}
	parts := strings.Split(rest, "/")
	for i := range min(len(parts), 2) {
		parts[i] = n.unit(parts[i])
	}
	return "/" + SystemDir + "/" + strings.Join(parts, "/")
}

// Origin returns an origin of a private path that names a unit with that one's new name.
func (n NewNames) Origin(origin string) string {
	for old, renamed := range n {
		if rest, found := strings.CutPrefix(origin, "unit:"+privatepaths.EscapeOrigin(old)+"/"); found {
			return "unit:" + privatepaths.EscapeOrigin(renamed) + "/" + rest
		}
	}
	return origin
}

// apply renames what a directory of units and the directories in it have. Root in the container can have made them
// anything.
func (n NewNames) apply(tree *os.Root, dir string) error {
	if len(n) == 0 {
		return nil
	}
	top, err := tree.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer top.Close()
	names, err := filetree.ReadNames(top)
	if err != nil {
		return err
	}
	for _, name := range names {
		if info, err := top.Lstat(name); err == nil && info.IsDir() && slices.Contains(unitDirKinds(), path.Ext(name)) {
			inner, err := top.OpenRoot(name)
			if err != nil {
				return err
			}
			err = n.applyTo(inner)
			inner.Close()
			if err != nil {
				return err
			}
		}
	}
	return n.applyTo(top)
}

func (n NewNames) applyTo(dir *os.Root) error {
	names, err := filetree.ReadNames(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		renamed := n.unit(name)
		if renamed == name || exists(dir, renamed) {
			continue
		}
		if err := dir.Rename(name, renamed); err != nil {
			return err
		}
	}
	return nil
}

// maxHosts bounds the /etc/hosts that is rewritten; a longer one stays as it is.
const maxHosts = 1 << 20

// renameHost gives the host that /etc/hosts calls by one name another.
func renameHost(tree *os.Root, from, to string) error {
	info, err := tree.Lstat("etc/hosts")
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Size() > maxHosts) {
		return nil
	}
	if err != nil {
		return err
	}
	f, err := tree.OpenFile("etc/hosts", os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	old, err := io.ReadAll(io.LimitReader(f, maxHosts))
	if err != nil {
		return err
	}
	text := renameInHosts(string(old), from, to)
	if text == string(old) {
		return nil
	}
	if _, err := f.WriteAt([]byte(text), 0); err != nil {
		return err
	}
	return f.Truncate(int64(len(text)))
}

var words = regexp.MustCompile(`\S+`)

// renameInHosts replaces a name in the text of hosts(5): whole words, and neither addresses nor comments.
func renameInHosts(text, from, to string) string {
	var renamed strings.Builder
	for l := range strings.Lines(text) {
		entry, comment, _ := strings.Cut(l, "#")
		isAddress := true
		renamed.WriteString(words.ReplaceAllStringFunc(entry, func(word string) string {
			if word == from && !isAddress {
				return to
			}
			isAddress = false
			return word
		}))
		if comment != "" || len(entry) < len(l) {
			renamed.WriteString("#" + comment)
		}
	}
	return renamed.String()
}
