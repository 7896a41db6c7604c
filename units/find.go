// SPDX-License-Identifier: Apache-2.0

package units

import (
	"os"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// FindStubs returns the names of the stubs that create made for a sandbox, whatever its first unit was. listing is
// what lies in dir.
func FindStubs(dir string, listing []string, name, configFile string) []string {
	var found []string
	for _, unit := range listing {
		parts, err := unitname.Parse(unit)
		if err != nil || parts.Instance() != name || parts.Type() != unitname.Service {
			continue
		}
		if text, err := os.ReadFile(filepath.Join(dir, unit)); err == nil && IsStub(text, configFile) {
			found = append(found, unit)
		}
	}
	return found
}
