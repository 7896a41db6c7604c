package content

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// Widen completes content with what the host has at a path that becomes private, of which parts are private already. What is
// there stays as it is. Bare content gets nothing.
func (h Host) Widen(ctx context.Context, s *config.Sandbox, p config.PrivatePath) error {
	if !s.Copy {
		return nil
	}
	err := h.labelled(s, func() error {
		trees, err := openTrees(h.Root, s.Content)
		if err != nil {
			return err
		}
		defer trees.close()
		w := widening{ctx: ctx, trees: trees, origin: p.Origin}
		if err := w.path(p.Path); err != nil {
			return err
		}
		tree, err := os.OpenRoot(s.Content)
		if err != nil {
			return err
		}
		defer tree.Close()
		if err := h.noteShipped(ctx, tree, []config.PrivatePath{p}, w.entries); err != nil {
			return err
		}
		return writeManifest(tree, w.entries)
	})
	if err != nil {
		return fmt.Errorf("copy %s to %s: %w", p.Path, s.Name, err)
	}
	return nil
}

type widening struct {
	ctx     context.Context
	trees   *trees
	origin  string
	entries []Entry
}

// path adds what the content lacks at and below a path.
func (w *widening) path(p string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if isIdentity(p) {
		return nil
	}
	source, err := w.trees.lookOnHost(p)
	if source == nil || err != nil {
		return err
	}
	defer source.close()
	if source.kind == kindOther {
		return nil
	}
	if err := w.put(p, source); err != nil || source.kind != kindDirectory {
		return err
	}
	names, err := source.from.Readdirnames(-1)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if err := w.path(path.Join(p, name)); err != nil {
			return err
		}
	}
	return nil
}

// put brings one path to the content, unless something is there.
func (w *widening) put(p string, source *version) error {
	at, err := w.trees.makeParents(p)
	if errors.Is(err, errBlocked) {
		return nil
	}
	if err != nil {
		return err
	}
	defer at.close()
	if old, err := at.look("", Entry{}); err != nil || old.kind != kindAbsent {
		return err
	}
	made, err := w.trees.put(source, nil)
	if err != nil {
		return err
	}
	if err := w.trees.moveNew(at); err != nil {
		if errors.Is(err, unix.EEXIST) {
			return nil
		}
		return err
	}
	e := Entry{Path: p, Type: made.typeName(), Digest: made.digest, Target: made.target, Size: made.size(), Origin: w.origin}
	e.setAttributes(made.stat.Mode, made.stat.Uid, made.stat.Gid)
	w.entries = append(w.entries, e)
	return nil
}
