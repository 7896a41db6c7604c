// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// Generators returns the generators of systemd (systemd.generator(7)) in the packages of units and in those that the
// administrator named: they make units that the packages' own need. Those of systemd itself are about the machine.
func (h Planner) Generators(ctx context.Context, units []*unitfile.Unit, extra []string) ([]string, error) {
	sets, err := h.packagesOf(ctx, units, extra)
	var unfinished *pkgdb.UnfinishedError
	if errors.Is(err, ErrNoOwner) || errors.As(err, &unfinished) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []string
	for _, set := range sets {
		for _, pkg := range set.packages {
			for _, f := range pkg.Below("/usr/lib/systemd/system-generators", "/lib/systemd/system-generators") {
				if !strings.HasPrefix(path.Base(f.Path), "systemd-") {
					found = append(found, f.Path)
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}
