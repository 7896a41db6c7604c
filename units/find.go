package units

import (
	"os"
	"path/filepath"
	"strings"
)

// FindShort gives the names of the short files that create made for a sandbox, whatever its first unit was. listing is
// what lies in dir.
func FindShort(dir string, listing []string, name, configFile string) []string {
	var found []string
	for _, unit := range listing {
		if !strings.HasSuffix(unit, "@"+name+".service") {
			continue
		}
		if text, err := os.ReadFile(filepath.Join(dir, unit)); err == nil && IsShort(text, configFile) {
			found = append(found, unit)
		}
	}
	return found
}
