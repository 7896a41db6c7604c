// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

// OwnedFile is a path of a package that lies at or below a private path.
type OwnedFile struct {
	pkgdb.File
	Package   string
	NewSuffix string // as pkgdb.Database.NewSuffix
}

// Shipped returns what the package has at the path, so that two versions can be compared; "" where it does not say.
func (f *OwnedFile) Shipped() string { return cmp.Or(f.Digest, f.LinkTarget) }

// KnownDigest returns the digest that the package has of the file; "" where it has none, and for a nil f.
func (f *OwnedFile) KnownDigest() string {
	if f == nil {
		return ""
	}
	return f.Digest
}

// Owned returns what any packages own at and below private paths, by path. Of several owners of a file one counts that
// says what is in it.
func (h Planner) Owned(ctx context.Context, private []config.PrivatePath) (map[string]*OwnedFile, error) {
	var roots []string
	for _, p := range private {
		roots = append(roots, p.Path)
	}
	owned := make(map[string]*OwnedFile)
	if len(roots) == 0 {
		return owned, nil
	}
	for _, db := range h.Packages {
		tally, err := db.Tally(ctx, roots...)
		if err != nil {
			return nil, err
		}
		owners := make(map[string]bool)
		for _, counts := range tally {
			for name := range counts {
				owners[name] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(owners)) {
			pkg, err := db.Package(ctx, name)
			if errors.Is(err, pkgdb.ErrNoPackage) {
				continue
			}
			if err != nil {
				return nil, err
			}
			for _, f := range pkg.Below(roots...) {
				if f.Obsolete || isExcluded(f.Path) || IsHostIdentity(f.Path) || config.CheckPath(f.Path) != nil {
					continue
				}
				if other := owned[f.Path]; other == nil || other.Shipped() == "" {
					owned[f.Path] = &OwnedFile{f, pkg.Name, db.NewSuffix()}
				}
			}
		}
	}
	return owned, nil
}

// IsInstalled reports whether a package of a name is installed.
func (h Planner) IsInstalled(ctx context.Context, name string) (bool, error) {
	for _, db := range h.Packages {
		if _, err := db.Package(ctx, name); !errors.Is(err, pkgdb.ErrNoPackage) {
			return err == nil, err
		}
	}
	return false, nil
}
