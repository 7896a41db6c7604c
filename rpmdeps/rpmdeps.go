// SPDX-License-Identifier: Apache-2.0

// Package rpmdeps reads the RPM database of a host in pure Go, without running rpm and without writing. In: a database
// directory; out: owners of paths and the files of packages, in the terms of pkgdb. Content planning calls it.
package rpmdeps

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

// ErrNoDatabase is returned by Open on a host that has no RPM database.
var ErrNoDatabase = errors.New("no RPM database")

// store finds packages in one format of the database.
type store interface {
	// withBasename gives every package that has a file of one of the base names.
	withBasename(ctx context.Context, names []string) ([]*pkgdb.Package, error)
	// below gives every package that may have a path at or below one of dirs.
	below(ctx context.Context, dirs []string) ([]*pkgdb.Package, error)
	withName(ctx context.Context, name string) ([]*pkgdb.Package, error)
	Close() error
}

// NewSuffix is what rpm adds to the name of a new file that it puts beside a changed one
// (rpm(8), %config(noreplace)).
const NewSuffix = ".rpmnew"

// DB is an open RPM database. It satisfies pkgdb.Database.
type DB struct {
	file  string
	store store
}

// Dirs are where distributions keep the database: Fedora from 36 and SUSE, most others, and Debian, whose rpm gives
// root one of its own.
func Dirs() []string { return []string{"/usr/lib/sysimage/rpm", "/var/lib/rpm", "/root/.rpmdb"} }

// Open opens the database in the first of dirs that has one, whatever its format. Errors: ErrNoDatabase.
func Open(dirs ...string) (*DB, error) {
	formats := []struct {
		file string
		open func(file string) (store, error)
	}{
		{"rpmdb.sqlite", openSQLite},
		{"Packages.db", loadAll(ndbHeaders)},
		{"Packages", loadAll(bdbHeaders)},
	}
	for _, dir := range dirs {
		for _, format := range formats {
			file := filepath.Join(dir, format.file)
			if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			s, err := format.open(file)
			if err != nil {
				return nil, fmt.Errorf("open RPM database %s: %w", file, err)
			}
			return &DB{file, s}, nil
		}
	}
	return nil, ErrNoDatabase
}

// Close releases the database.
func (db *DB) Close() error { return db.store.Close() }

// Owners implements pkgdb.Database.
func (db *DB) Owners(ctx context.Context, paths ...string) (map[string][]string, error) {
	asked := make(map[string][]string) // spelling → paths as asked
	var bases []string
	for _, p := range paths {
		for _, spelling := range pkgdb.Spellings(p) {
			asked[spelling] = append(asked[spelling], p)
		}
		bases = append(bases, filepath.Base(p))
	}
	slices.Sort(bases)
	packages, err := db.store.withBasename(ctx, slices.Compact(bases))
	if err != nil {
		return nil, fmt.Errorf("look up owners in the RPM database %s: %w", db.file, err)
	}
	owners := make(map[string][]string)
	for _, pkg := range packages {
		for _, file := range pkg.Files {
			for _, p := range asked[file.Path] {
				if !slices.Contains(owners[p], pkg.Name) {
					owners[p] = append(owners[p], pkg.Name)
				}
			}
		}
	}
	return owners, nil
}

// Tally implements pkgdb.Database.
func (db *DB) Tally(ctx context.Context, dirs ...string) (map[string]map[string]int, error) {
	packages, err := db.store.below(ctx, dirs)
	if err != nil {
		return nil, fmt.Errorf("count owners in the RPM database %s: %w", db.file, err)
	}
	// Two versions or architectures of a package may share paths.
	type owned struct{ dir, name, path string }
	counted := make(map[owned]bool)
	tally := make(map[string]map[string]int)
	for _, dir := range dirs {
		if tally[dir] == nil {
			tally[dir] = make(map[string]int)
		}
		for _, pkg := range packages {
			for _, f := range pkg.Below(dir) {
				if o := (owned{dir, pkg.Name, f.Path}); !counted[o] {
					counted[o] = true
					tally[dir][pkg.Name]++
				}
			}
		}
	}
	return tally, nil
}

// Package implements pkgdb.Database. Of packages installed in several versions the newest entry is taken.
func (db *DB) Package(ctx context.Context, name string) (*pkgdb.Package, error) {
	packages, err := db.store.withName(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("look up %s in the RPM database %s: %w", name, db.file, err)
	}
	if len(packages) == 0 {
		return nil, fmt.Errorf("%s: %w", name, pkgdb.ErrNoPackage)
	}
	return packages[len(packages)-1], nil
}

// NewSuffix implements pkgdb.Database.
func (db *DB) NewSuffix() string { return NewSuffix }
