// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// packageSet is the packages of one database that the units stand for.
type packageSet struct {
	db       pkgdb.Database
	packages []*pkgdb.Package
}

// Units returns those of a set for which paths are planned: the ones that a sandbox cannot be without, and of those
// that are wanted the ones of the same packages. A package that something is merely wanted of may be a whole database.
// Errors: those of Plan.
func (h Planner) Units(ctx context.Context, set unitfile.Set, extra []string) ([]*unitfile.Unit, error) {
	units := set.All()
	if len(set.Wanted) == 0 {
		return units, nil
	}
	packages, err := h.packagesOf(ctx, units, extra)
	if err != nil {
		return nil, err
	}
	for _, u := range set.Wanted {
		for _, own := range packages {
			owners, err := own.db.Owners(ctx, u.Files...)
			if err != nil {
				return nil, err
			}
			isOwn := func(name string) bool { return own.has(name) }
			if slices.ContainsFunc(u.Files, func(file string) bool { return slices.ContainsFunc(owners[file], isOwn) }) {
				units = append(units, u)
				break
			}
		}
	}
	return units, nil
}

// packagesOf finds the owners of each unit, and the packages that the administrator named, each with those that it
// comes with. A unit can be owned in several databases: by a deb, and by an RPM that takes it over. One that is pulled
// in may be nobody's.
func (h Planner) packagesOf(ctx context.Context, units []*unitfile.Unit, extra []string) ([]packageSet, error) {
	sets := make([]packageSet, len(h.Packages))
	for i := range sets {
		sets[i].db = h.Packages[i]
	}
	for _, u := range units {
		found := false
		for i, db := range h.Packages {
			owners, err := db.Owners(ctx, u.Files...)
			if err != nil {
				return nil, err
			}
			for _, file := range u.Files {
				for _, name := range owners[file] {
					found = true
					if err := sets[i].add(ctx, name); err != nil {
						return nil, err
					}
				}
			}
		}
		if !found && len(extra) == 0 && u.By == "" {
			return nil, field.Errorf("%s (%s): %w; name the packages of the service with %s",
				u.Name, u.Files[0], ErrNoOwner, field.Packages)
		}
	}
	for _, name := range extra {
		if err := h.inSome(name, func(i int) error { return sets[i].add(ctx, name) }); err != nil {
			return nil, err
		}
	}
	return sets, nil
}

// add adds a package, and those of its source that it cannot be without: a package is often split into its programs and
// their configuration. Its base package, which has the name of the source, is one even where nothing says so. Errors:
// pkgdb.ErrNoPackage.
func (s *packageSet) add(ctx context.Context, name string) error {
	if s.has(name) {
		return nil
	}
	first, err := s.db.Package(ctx, name)
	if err != nil {
		return err
	}
	s.packages = append(s.packages, first)
	source := sourceOf(first)
	asked := make(map[string]bool)
	for wanted := append([]string{source}, first.Depends...); len(wanted) > 0; wanted = wanted[1:] {
		if asked[wanted[0]] || s.has(wanted[0]) {
			continue
		}
		asked[wanted[0]] = true
		if path.IsAbs(wanted[0]) {
			owners, err := s.db.Owners(ctx, wanted[0])
			if err != nil {
				return err
			}
			wanted = append(wanted, owners[wanted[0]]...)
			continue
		}
		pkg, err := s.db.Package(ctx, wanted[0])
		if errors.Is(err, pkgdb.ErrNoPackage) {
			continue
		}
		if err != nil {
			return err
		}
		if pkg.Name == source || sourceOf(pkg) == source {
			s.packages = append(s.packages, pkg)
			wanted = append(wanted, pkg.Depends...)
		}
	}
	return nil
}

func (s *packageSet) has(name string) bool {
	return slices.ContainsFunc(s.packages, func(p *pkgdb.Package) bool { return p.Name == name })
}

func sourceOf(p *pkgdb.Package) string {
	if p.Source == "" {
		return p.Name
	}
	return p.Source
}

// CheckPackages checks that packages are installed. Errors: pkgdb.ErrNoPackage.
func (h Planner) CheckPackages(ctx context.Context, names []string) error {
	for _, name := range names {
		err := h.inSome(name, func(i int) error {
			_, err := h.Packages[i].Package(ctx, name)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// inSome calls ask for the databases in their order, until one has the package.
func (h Planner) inSome(name string, ask func(database int) error) error {
	var failure error = fmt.Errorf("%s: %w", name, pkgdb.ErrNoPackage)
	for i := range h.Packages {
		if failure = ask(i); !errors.Is(failure, pkgdb.ErrNoPackage) {
			break
		}
	}
	return failure
}
