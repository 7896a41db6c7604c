// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// Names lists the units and templates that Find would find, by the names of their files: those that begin with a
// prefix.
func (r Root) Names(prefix string) []string {
	var names []string
	for _, dir := range unitDirs() {
		// One that cannot be read has none to offer.
		entries, _ := os.ReadDir(string(r) + dir)
		for _, e := range entries {
			name := e.Name()
			unit, err := unitname.Parse(name)
			if err != nil || !unit.Type().Runs() || !strings.HasPrefix(name, prefix) {
				continue
			}
			file, _ := r.resolve(filepath.Join(dir, name))
			if file == "" || r.runsContainer(file) || r.locate(unit, maxAliases) == nil {
				continue
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
