// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// links returns the names of the links in the unit path that lead to a file there, by the name of that: read once,
// when somebody asks.
type links func() map[string][]string

func (r Root) newLinks() links { return sync.OnceValue(r.readLinks) }

func (r Root) readLinks() map[string][]string {
	found, seen := make(map[string][]string), make(map[string]bool)
	var before []os.FileInfo
	for _, dir := range unitDirs() {
		info, err := os.Stat(string(r) + dir)
		if err != nil || slices.ContainsFunc(before, func(b os.FileInfo) bool { return os.SameFile(b, info) }) {
			continue // A host may have one directory under two names.
		}
		before = append(before, info)
		entries, _ := os.ReadDir(string(r) + dir)
		for _, e := range entries {
			name := e.Name()
			if seen[name] || e.IsDir() {
				continue
			}
			seen[name] = true
			if e.Type()&os.ModeSymlink == 0 {
				continue
			}
			target, err := os.Readlink(string(r) + filepath.Join(dir, name))
			if err != nil {
				continue
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(dir, target)
			}
			if base := filepath.Base(target); base != name && slices.Contains(unitDirs(), filepath.Dir(filepath.Clean(target))) {
				found[base] = append(found[base], name)
			}
		}
	}
	return found
}

// aliasesOf returns the names that links of the host give a unit, and those that enabling it would (systemd.unit(5),
// Alias=).
func (r Root) aliasesOf(u *Unit, links links) []string {
	own, err := unitname.Parse(u.Name)
	if err != nil {
		return nil
	}
	var names []string
	add := func(text string) bool {
		alias, err := unitname.Parse(text)
		if err != nil || alias.Type() != own.Type() || alias.IsInstance() && alias.Instance() != own.Instance() {
			return false
		}
		name := alias.Instantiate(own.Instance()).String()
		if name == u.Name || slices.Contains(names, name) {
			return false
		}
		names = append(names, name)
		return true
	}
	for next := slices.Compact(withTemplate(u.Name)); len(next) > 0; {
		var found []string
		for _, target := range next {
			for _, name := range links()[target] {
				if add(name) {
					found = append(found, name)
				}
			}
		}
		next = found
	}
	for _, name := range u.Words("Alias") {
		if !r.isAnothers(name, u) {
			add(name)
		}
	}
	slices.SortFunc(names, strings.Compare)
	return names
}

// isAnothers reports whether the host has another unit of a name.
func (r Root) isAnothers(name string, u *Unit) bool {
	return slices.ContainsFunc(unitDirs(), func(dir string) bool {
		file, canonical := r.resolve(filepath.Join(dir, name))
		return file != "" && !slices.Contains(withTemplate(u.Name), canonical)
	})
}
