// SPDX-License-Identifier: Apache-2.0

package rpmdeps

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

// memStore holds a database of a format whose indexes are not worth reading: ndb (SUSE) or bdb (RHEL 8 and older).
type memStore struct {
	packages []*pkgdb.Package // in the order in which they were installed
}

// loadAll makes the opener of a format out of the function that visits each of its headers.
func loadAll(headers func(f *os.File, visit func(number uint32, blob []byte) error) error) func(string) (store, error) {
	return func(file string) (store, error) {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		byNumber := make(map[uint32]*pkgdb.Package)
		err = headers(f, func(number uint32, blob []byte) error {
			pkg, err := decodeBlob(blob)
			if err != nil {
				return fmt.Errorf("header %d: %w", number, err)
			}
			byNumber[number] = pkg
			return nil
		})
		if err != nil {
			return nil, err
		}
		s := &memStore{}
		for _, number := range slices.Sorted(maps.Keys(byNumber)) {
			s.packages = append(s.packages, byNumber[number])
		}
		return s, nil
	}
}

func (s *memStore) Close() error { return nil }

func (s *memStore) withBasename(_ context.Context, names []string) ([]*pkgdb.Package, error) {
	return s.where(func(pkg *pkgdb.Package) bool {
		return slices.ContainsFunc(pkg.Files, func(f pkgdb.File) bool {
			_, found := slices.BinarySearch(names, path.Base(f.Path))
			return found
		})
	}), nil
}

func (s *memStore) below(_ context.Context, dirs []string) ([]*pkgdb.Package, error) {
	return s.where(func(pkg *pkgdb.Package) bool { return len(pkg.Below(dirs...)) > 0 }), nil
}

func (s *memStore) withName(_ context.Context, name string) ([]*pkgdb.Package, error) {
	return s.where(func(pkg *pkgdb.Package) bool { return pkg.Name == name }), nil
}

func (s *memStore) where(matches func(*pkgdb.Package) bool) []*pkgdb.Package {
	var found []*pkgdb.Package
	for _, pkg := range s.packages {
		if matches(pkg) {
			found = append(found, pkg)
		}
	}
	return found
}
