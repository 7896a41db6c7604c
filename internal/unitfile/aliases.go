// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// aliasesOf returns the names that links of the host give a unit, and those that enabling it would (systemd.unit(5),
// Alias=).
func (r Root) aliasesOf(u *Unit, index index) []string {
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
			for _, name := range index().names[target] {
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
