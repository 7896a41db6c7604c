// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// read reads the unit's file and its drop-ins.
func (r Root) read(u *Unit, index index) error {
	if err := r.readOptions(u); err != nil {
		return err
	}
	u.Aliases = r.aliasesOf(u, index)
	for _, suffix := range pullingSuffixes() {
		for _, l := range u.links(index, suffix) {
			if l.Target != "" && pathname.IsBelow(l.Path, units.Dir) {
				u.Links = append(u.Links, l)
			}
		}
	}
	if u.DropIns = r.dropIns(u, index); len(u.DropIns) == 0 {
		return nil
	}
	return r.readOptions(u)
}

// dropIns finds what adds to a unit, in the order of systemd.unit(5): by name wherever they lie, and of those of one
// name only the first.
func (r Root) dropIns(u *Unit, index index) []string {
	var dirs, found []string
	for _, name := range append([]string{u.Name}, u.Aliases...) {
		unit, err := unitname.Parse(name)
		if err != nil {
			continue
		}
		var own []string
		for _, part := range unit.DropInNames() {
			if part != u.Name || !u.isHosts {
				own = append(own, index().dirs[part+".d"]...)
			}
		}
		// What is said in a directory of the administrator's counts more than what is said of a more exact name.
		slices.SortStableFunc(own, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
		dirs = append(dirs, own...)
	}
	dirs = append(dirs, index().dirs[strings.TrimPrefix(path.Ext(u.Name), ".")+".d"]...)
	seen := make(map[string]bool)
	for _, dir := range dirs {
		entries, _ := os.ReadDir(string(r) + dir)
		for _, e := range entries {
			if path.Ext(e.Name()) == ".conf" && !e.IsDir() && !seen[e.Name()] {
				seen[e.Name()] = true
				found = append(found, path.Join(dir, e.Name()))
			}
		}
	}
	slices.SortFunc(found, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
	return found
}

// rank is how far behind in the unit path a directory of drop-ins lies.
func rank(dir string) int { return slices.Index(unitDirs(), path.Dir(dir)) }

// readOptions reads what the unit's files say. A drop-in that cannot be read keeps no unit from being loaded.
func (r Root) readOptions(u *Unit) error {
	u.options = nil
	files := u.DropIns
	if u.generated != "" {
		u.options, _ = parse(u.generated, sectionsOf(u.Name))
	} else {
		files = append([]string{u.Files[0]}, files...)
	}
	for i, file := range files {
		isUnit := i == 0 && u.generated == ""
		text, err := os.ReadFile(string(r) + file)
		if err != nil && isUnit {
			return fmt.Errorf("read unit: %w", err)
		}
		options, err := parse(string(text), sectionsOf(u.Name))
		if err != nil && isUnit {
			return fmt.Errorf("read unit %s: %w", file, err)
		}
		u.options = append(u.options, options...)
	}
	return nil
}
