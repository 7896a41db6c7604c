// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// read reads the unit's file and its drop-ins.
func (r Root) read(u *Unit, links links) error {
	if err := r.readOptions(u); err != nil {
		return err
	}
	u.Aliases = r.aliasesOf(u, links)
	u.DropIns = r.dropIns(u)
	return r.readOptions(u)
}

// dropIns finds what adds to a unit, in the order of systemd.unit(5): by name wherever they lie, and of those of one
// name only the first.
func (r Root) dropIns(u *Unit) []string {
	var dirs, found []string
	for _, name := range append([]string{u.Name}, u.Aliases...) {
		unit, err := unitname.Parse(name)
		if err != nil {
			continue
		}
		for _, dir := range unitDirs() {
			for _, part := range unit.DropInNames() {
				if part != u.Name || !u.isHosts {
					dirs = append(dirs, path.Join(dir, part+".d"))
				}
			}
		}
	}
	for _, dir := range unitDirs() {
		dirs = append(dirs, path.Join(dir, strings.TrimPrefix(path.Ext(u.Name), ".")+".d"))
	}
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
