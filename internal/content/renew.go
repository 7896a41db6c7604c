// SPDX-License-Identifier: Apache-2.0

package content

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
)

// Renew writes anew what virt-sandbox itself made in complete content and would make otherwise now, where nobody
// changed it: units of which there may be new versions, and the accounts that are known inside.
func (h Host) Renew(s *config.Sandbox, dryRun bool) ([]Change, error) {
	var changes []Change
	err := h.WithLabel(s, func() (err error) {
		changes, err = h.renew(s, dryRun)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("renew units of %s: %w", s.Name, err)
	}
	return changes, nil
}

func (h Host) renew(s *config.Sandbox, dryRun bool) ([]Change, error) {
	entries, err := filestate.ReadManifest(s.Content)
	if err != nil {
		return nil, err
	}
	r := &renewal{dryRun: dryRun, was: make(map[string]filestate.Entry)}
	for _, e := range entries {
		r.was[e.Path] = e
	}
	if r.trees, err = filestate.OpenTrees(h.Root, s.Content); err != nil {
		return nil, err
	}
	defer r.trees.Close()
	tree, err := os.OpenRoot(s.Content)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	b := newBuilder(h, s, tree)
	b.complete, b.renewal = true, r
	defer b.close()
	if err := errors.Join(b.skeletonFiles(), b.systemd(context.Background())); err != nil {
		return nil, err
	}
	if dryRun || len(r.entries) == 0 {
		return r.changes, nil
	}
	if err := r.trees.Sync(); err != nil {
		return nil, err
	}
	return r.changes, filestate.WriteManifest(tree, r.entries)
}

// renewal compares the files that a builder would make with those that are there.
type renewal struct {
	trees   *filestate.Trees
	dryRun  bool
	was     map[string]filestate.Entry
	entries []filestate.Entry
	changes []Change
}

// file renews a file that an earlier run made; of a nil renewal it does nothing.
func (r *renewal) file(name, text string) error {
	if r == nil {
		return nil
	}
	entry, known := r.was["/"+name]
	if !known || entry.Origin != "sandbox" || entry.Digest == "" || entry.Digest == digestOfText(text) {
		return nil
	}
	at, err := r.trees.Find(name)
	if errors.Is(err, filestate.ErrBlocked) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer at.Close()
	mine, err := at.Look("", entry)
	if err != nil {
		return err
	}
	next := entry
	next.Digest, next.Size = digestOfText(text), int64(len(text))
	switch {
	case mine.IsAsPut(next):
		// By a run that was killed.
		r.entries = append(r.entries, next)
		return nil
	case !mine.IsAsPut(entry):
		return nil
	}
	if r.dryRun {
		r.changes = append(r.changes, Change{Path: entry.Path, Action: ActionUpdated})
		return nil
	}
	done, err := r.replace(at, text, &mine.Stat, entry)
	if err != nil || !done {
		return err
	}
	r.changes = append(r.changes, Change{Path: entry.Path, Action: ActionUpdated})
	r.entries = append(r.entries, next)
	return nil
}

func (r *renewal) replace(at *filestate.Place, text string, like *unix.Stat_t, entry filestate.Entry) (bool, error) {
	if err := r.trees.Clear(); err != nil {
		return false, err
	}
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(r.trees.Tree, filestate.UpgradeName, flags, 0o600)
	if err != nil {
		return false, err
	}
	f := os.NewFile(uintptr(fd), filestate.UpgradeName)
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chown(int(like.Uid), int(like.Gid)), unix.Fchmod(fd, like.Mode&0o7777), f.Close())
	if err != nil {
		return false, err
	}
	return r.trees.MoveOver(at, entry)
}

// digestOfText is the manifest's digest of a text.
func digestOfText(text string) string {
	d := filetree.NewHash("sha256:")
	_, _ = strings.NewReader(text).WriteTo(d)
	return d.String()
}
