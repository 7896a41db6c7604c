// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

// Packages is a package database in memory (pkgdb.Database). Each path is owned by the packages that list it.
type Packages []*pkgdb.Package

// Owners implements pkgdb.Database.
func (f Packages) Owners(_ context.Context, paths ...string) (map[string][]string, error) {
	owners := make(map[string][]string)
	for _, p := range paths {
		for _, pkg := range f {
			for _, file := range pkg.Files {
				if slices.Contains(pkgdb.Spellings(p), file.Path) {
					owners[p] = append(owners[p], pkg.Name)
				}
			}
		}
	}
	return owners, nil
}

// Tally implements pkgdb.Database.
func (f Packages) Tally(_ context.Context, dirs ...string) (map[string]map[string]int, error) {
	tally := make(map[string]map[string]int)
	for _, dir := range dirs {
		tally[dir] = make(map[string]int)
		for _, pkg := range f {
			if n := len(pkg.Below(dir)); n > 0 {
				tally[dir][pkg.Name] = n
			}
		}
	}
	return tally, nil
}

// Package implements pkgdb.Database.
func (f Packages) Package(_ context.Context, name string) (*pkgdb.Package, error) {
	for _, pkg := range f {
		if pkg.Name == name {
			return pkg, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", name, pkgdb.ErrNoPackage)
}

// NewSuffix implements pkgdb.Database.
func (f Packages) NewSuffix() string { return ".rpmnew" }

// Package returns a package of a source package that owns paths; those that end in / are directories.
func Package(name, source string, paths ...string) *pkgdb.Package {
	p := &pkgdb.Package{Name: name, Version: "1", Source: source}
	for _, file := range paths {
		f := pkgdb.File{Path: path.Clean(file), Mode: 0o644}
		if strings.HasSuffix(file, "/") {
			f.Mode = os.ModeDir | 0o755
		}
		p.Files = append(p.Files, f)
	}
	return p
}
