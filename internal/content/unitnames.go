package content

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// UnitNames lists the units and templates that FindUnit would find, by the names of their files: those that begin with a
// prefix.
func (h Host) UnitNames(prefix string) []string {
	var names []string
	for _, dir := range unitDirs() {
		// One that cannot be read has none to offer.
		entries, _ := os.ReadDir(h.Root + dir)
		for _, e := range entries {
			name := e.Name()
			unit, err := unitname.Parse(name)
			if err != nil || !unit.Type().Runs() || !strings.HasPrefix(name, prefix) {
				continue
			}
			file, _ := h.resolve(filepath.Join(dir, name))
			if file == "" || h.runsContainer(file) {
				continue
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
