package units

import (
	"os"
	"path/filepath"
	"strings"
)

// FindStubs returns the names of the stubs that create made for a sandbox, whatever its first unit was. listing is
// what lies in dir.
func FindStubs(dir string, listing []string, name, configFile string) []string {
	var found []string
	for _, unit := range listing {
		if !strings.HasSuffix(unit, "@"+name+".service") {
			continue
		}
		if text, err := os.ReadFile(filepath.Join(dir, unit)); err == nil && IsStub(text, configFile) {
			found = append(found, unit)
		}
	}
	return found
}
