// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"context"
	"errors"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// Companion is a service that units of a sandbox start with them, though it is of another package whose paths the
// sandbox does not have. Packages bring such together by drop-ins, as php-fpm's for httpd.
type Companion struct {
	Unit, By string // its name, and that of the unit that starts it
	Path     string // a path that it lacks
}

// Companions returns those among units that others of a sandbox want which has these private paths. Errors: of reading
// packages.
func (h Planner) Companions(
	ctx context.Context, wanted []*unitfile.Unit, private []config.PrivatePath,
) ([]Companion, error) {
	var found []Companion
	for _, u := range wanted {
		if name, err := unitname.Parse(u.Name); err != nil || name.Type() != unitname.Service {
			continue
		}
		lacks, err := h.lacks(ctx, u, private)
		if err != nil {
			return nil, err
		}
		if lacks != "" {
			found = append(found, Companion{Unit: u.Name, By: u.By, Path: lacks})
		}
	}
	return found, nil
}

// lacks returns the first path that a unit would have for itself and that is not among private ones; "" where there is
// none, and for a unit that no package has.
func (h Planner) lacks(ctx context.Context, u *unitfile.Unit, private []config.PrivatePath) (string, error) {
	if owned, err := h.isOwned(ctx, u); !owned || err != nil {
		return "", err
	}
	plan, err := h.Plan(ctx, []*unitfile.Unit{u}, nil)
	if errors.Is(err, pkgdb.ErrNoPackage) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, p := range plan.Private {
		has := func(own config.PrivatePath) bool { return pathname.IsWithin(p.Path, own.Path) }
		if !slices.ContainsFunc(private, has) {
			return p.Path, nil
		}
	}
	return "", nil
}

// isOwned reports whether a package has a unit.
func (h Planner) isOwned(ctx context.Context, u *unitfile.Unit) (bool, error) {
	for _, db := range h.Packages {
		owners, err := db.Owners(ctx, u.Files...)
		if err != nil {
			return false, err
		}
		for _, names := range owners {
			if len(names) > 0 {
				return true, nil
			}
		}
	}
	return false, nil
}
