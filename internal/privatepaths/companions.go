// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
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

// Companions returns the companions of units that have these private paths. Errors: of reading units and packages.
func (h Planner) Companions(
	ctx context.Context, units []*unitfile.Unit, private []config.PrivatePath,
) ([]Companion, error) {
	var found []Companion
	known := make(map[string]bool)
	for _, u := range units {
		for _, name := range append(u.Aliases, u.Name) {
			known[name] = true
		}
	}
	for _, u := range units {
		for _, directive := range []string{"Wants", "Requires", "BindsTo", "Upholds"} {
			for _, name := range u.Words(directive) {
				if known[name] || !isPackaged(name) {
					continue
				}
				known[name] = true
				lacks, err := h.lacks(ctx, name, private)
				if err != nil {
					return nil, err
				}
				if lacks != "" {
					found = append(found, Companion{Unit: name, By: u.Name, Path: lacks})
				}
			}
		}
	}
	return found, nil
}

// isPackaged reports whether a unit is a service of others than systemd and D-Bus, which every container has.
func isPackaged(name string) bool {
	unit, err := unitname.Parse(name)
	return err == nil && unit.Type() == unitname.Service &&
		!strings.HasPrefix(name, "systemd-") && !strings.HasPrefix(name, "dbus")
}

// lacks returns the first path that a unit would have for itself and that is not among private ones; "" where there is
// none, and for a unit that the host or no package has.
func (h Planner) lacks(ctx context.Context, name string, private []config.PrivatePath) (string, error) {
	unit, err := unitfile.Root(h.Root).Find(name, "")
	if errors.Is(err, unitfile.ErrNoUnit) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	plan, err := h.Plan(ctx, []*unitfile.Unit{unit}, nil)
	if errors.Is(err, ErrNoOwner) || errors.Is(err, pkgdb.ErrNoPackage) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, p := range plan.Private {
		has := func(own config.PrivatePath) bool { return p.Path == own.Path || Below(p.Path, own.Path) }
		if !slices.ContainsFunc(private, has) {
			return p.Path, nil
		}
	}
	return "", nil
}
