package content

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// ownedFile is a path of a package that lies at or below a private path.
type ownedFile struct {
	File
	pkg       string
	newSuffix string // as Packages.NewSuffix
}

// shipped says what the package has at the path, so that two versions can be compared; "" where it does not say.
func (f *ownedFile) shipped() string { return cmp.Or(f.Digest, f.LinkTarget) }

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
			if errors.Is(err, ErrNoPackage) {
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

// noteShipped completes the entries of what was copied from the host with what the packages say of it, so that a later
// upgrade can tell their files from those that an administrator had changed on the host already.
func (h Host) noteShipped(ctx context.Context, tree *os.Root, private []config.PrivatePath, entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	owned, err := h.ownedFiles(ctx, private)
	if err != nil {
		return err
	}
	for i := range entries {
		e := &entries[i]
		if e.Type == "symlink" {
			// What cannot be read has been changed already.
			e.Target, _ = tree.Readlink(e.Path[1:])
		}
		f := owned[e.Path]
		if f == nil {
			continue
		}
		e.Package, e.Shipped = f.pkg, f.shipped()
		switch e.Type {
		case "symlink":
			e.Edited = e.Target != e.Shipped
		case "file":
			if e.Edited, err = editedOnHost(h.Root+e.Path, f.Digest, e.Digest); err != nil {
				return err
			}
		}
	}
	return nil
}

// editedOnHost tells whether a file of the host, whose digest was sum, differs from the package's.
func editedOnHost(file, shipped, sum string) (bool, error) {
	hash := newHash(shipped)
	if hash == nil || shipped == sum {
		return false, nil
	}
	if algorithmOf(shipped) == algorithmOf(sum) {
		return true, nil
	}
	found, err := hashFile(file, hash)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return found != shipped, err
}

func (h Host) isInstalled(ctx context.Context, name string) (bool, error) {
	for _, db := range h.Packages {
		if _, err := db.Package(ctx, name); !errors.Is(err, ErrNoPackage) {
			return err == nil, err
		}
	}
	return false, nil
}
