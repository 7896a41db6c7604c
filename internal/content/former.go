// SPDX-License-Identifier: Apache-2.0

package content

import (
	"maps"
	"path"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/innerboot"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// takeFormer takes away what earlier versions put into complete content and a start puts below /run now. What was
// changed inside goes on to count in place of that, under its name.
func (b *builder) takeFormer(set unitfile.Set) error {
	if b.renewal != nil || !b.complete {
		return nil
	}
	var trees *filestate.Trees
	was := make(map[string]filestate.Entry)
	former := innerboot.Former(set)
	for _, old := range slices.Sorted(maps.Keys(former)) {
		name := path.Join(SystemDir, old)
		if parent, base, err := b.parent(name); err != nil || !exists(parent, base) {
			continue
		}
		if trees == nil {
			entries, err := filestate.ReadManifest(b.sandbox.Content)
			if err != nil {
				return err
			}
			for _, e := range entries {
				was[e.Path] = e
			}
			if trees, err = filestate.OpenTrees(b.host.Root, b.sandbox.Content); err != nil {
				return err
			}
			defer trees.Close()
		}
		if gone, err := trees.Retire(name, path.Base(former[old]), was["/"+name]); err != nil {
			return err
		} else if !gone {
			continue
		}
		b.entries = append(b.entries, filestate.Entry{Path: "/" + name})
		if dir := path.Dir(name); b.tree.Remove(dir) == nil {
			// Nothing else was in it.
			b.entries = append(b.entries, filestate.Entry{Path: "/" + dir})
		}
	}
	return nil
}
