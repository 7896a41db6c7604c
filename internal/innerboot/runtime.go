// SPDX-License-Identifier: Apache-2.0

package innerboot

import (
	"maps"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/directive"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// Runtime returns files that each start puts below /run/systemd/system of a container, since they follow from the
// config and the host as they are then, by their names there. fitting is what its units have for that.
func Runtime(s *config.Sandbox, fitting Fitting) map[string]string {
	files := make(map[string]string)
	maps.Copy(files, fitting.Units)
	carried := s.ServiceAt(directive.Inside)
	if len(carried) > 0 {
		var text strings.Builder
		text.WriteString("# [service] of the sandbox's config.\n[Service]\n")
		for _, d := range carried {
			text.WriteString(d.Name + "=" + d.Value + "\n")
		}
		for _, unit := range s.Units {
			if name, err := unitname.Parse(unit); err == nil && name.Type() == unitname.Service {
				files[unit+".d/"+carriedDropIn] = text.String()
			}
		}
	}
	if s.StoredByHost() {
		// An empty file masks a unit. Without this one journald goes on in memory.
		files["systemd-journal-flush.service"] = ""
	}
	addHealth(files, s)
	if len(files) == 0 {
		return nil
	}
	return files
}
