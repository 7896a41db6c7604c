// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// PlanUpgrade returns the paths that new versions of a sandbox's packages have come to need for themselves. What an
// administrator of the host changed since the sandbox was made is left out: its secrets and its data are not for
// containers that are there already. Errors: ErrNoOwner, ErrNoUnit.
func (h Planner) PlanUpgrade(ctx context.Context, s *config.Sandbox) ([]config.PrivatePath, error) {
	var shipped []*unitfile.Unit
	set, err := unitfile.Root(h.Root).FindAll(s.Units, s.Name, func(err error) error { return err })
	if err != nil {
		return nil, err
	}
	units, err := h.Units(ctx, set, s.Packages)
	if err != nil {
		return nil, err
	}
	for _, u := range units {
		u, err := unitfile.Root(h.Root).AsShipped(u)
		if err != nil {
			return nil, err
		}
		if u != nil {
			shipped = append(shipped, u)
		}
	}
	planned, err := h.Plan(ctx, shipped, s.Packages)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(planned.Private, func(p config.PrivatePath) bool {
		isOld := func(old config.PrivatePath) bool { return pathname.IsWithin(p.Path, old.Path) }
		switch kind, _, _ := strings.Cut(p.Origin, ":"); kind {
		case "package":
			return slices.ContainsFunc(s.Private, isOld)
		case "unit", "tmpfiles":
			// A file that no package has would be the host's own.
			info, err := os.Lstat(h.Root + p.Path)
			return (err == nil && !info.IsDir()) || slices.ContainsFunc(s.Private, isOld)
		}
		return true
	}), nil
}
