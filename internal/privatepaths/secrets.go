// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// givenPaths returns files that systemd itself reads for a unit and gives to it: credentials (systemd.exec(5),
// LoadCredential=), and those that a pattern of EnvironmentFile= finds. They are secrets often, which would be hidden.
func (h Planner) givenPaths(u *unitfile.Unit) []candidate {
	var all []candidate
	add := func(directive, p string) {
		if p = path.Clean(p); pathname.IsBelow(p, "/etc", "/var", "/srv") && !isExcluded(p) && config.CheckPath(p) == nil {
			all = append(all, candidate{p, "unit:" + u.Name + "/" + directive})
		}
	}
	for _, directive := range []string{"LoadCredential", "LoadCredentialEncrypted"} {
		for _, word := range u.Words(directive) {
			if _, p, found := strings.Cut(word, ":"); found {
				add(directive, p)
			}
		}
	}
	for _, word := range u.Words("EnvironmentFile") {
		pattern := strings.TrimPrefix(word, "-")
		if !strings.ContainsAny(pattern, "*?[") {
			continue
		}
		// A pattern that is none finds nothing, for systemd too.
		found, _ := filepath.Glob(h.Root + pattern)
		slices.Sort(found)
		for _, file := range found {
			add("EnvironmentFile", strings.TrimPrefix(file, h.Root))
		}
	}
	return all
}
