package content

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

// ownedFile is a path of a package that lies at or below a private path.
type ownedFile struct {
	pkgdb.File
	pkg       string
	newSuffix string // as pkgdb.Database.NewSuffix
}

// shipped says what the package has at the path, so that two versions can be compared; "" where it does not say.
func (f *ownedFile) shipped() string { return cmp.Or(f.Digest, f.LinkTarget) }

// digest is the package's of the file; "" also where there is no such.
func (f *ownedFile) digest() string {
	if f == nil {
		return ""
	}
	return f.Digest
}

// ownedFiles gives what any packages own at and below private paths, by path. Of several owners of a file one counts that
// says what is in it.
func (h Host) ownedFiles(ctx context.Context, private []config.PrivatePath) (map[string]*ownedFile, error) {
	var roots []string
	for _, p := range private {
		roots = append(roots, p.Path)
	}
	owned := make(map[string]*ownedFile)
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
				if f.Obsolete || notContent(f.Path) || isIdentity(f.Path) || config.CheckPath(f.Path) != nil {
					continue
				}
				if other := owned[f.Path]; other == nil || other.shipped() == "" {
					owned[f.Path] = &ownedFile{f, pkg.Name, db.NewSuffix()}
				}
			}
		}
	}
	return owned, nil
}

func (h Host) isInstalled(ctx context.Context, name string) (bool, error) {
	for _, db := range h.Packages {
		if _, err := db.Package(ctx, name); !errors.Is(err, pkgdb.ErrNoPackage) {
			return err == nil, err
		}
	}
	return false, nil
}
