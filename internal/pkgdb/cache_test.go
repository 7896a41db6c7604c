// SPDX-License-Identifier: Apache-2.0

package pkgdb

import (
	"context"
	"errors"
	"sync"
	"testing"
)

// counting counts the questions that reach a database.
type counting struct{ asked int }

func (*counting) NewSuffix() string { return "" }

func (c *counting) Owners(_ context.Context, paths ...string) (map[string][]string, error) {
	c.asked++
	return map[string][]string{paths[0]: {"owner"}}, nil
}

func (c *counting) Tally(_ context.Context, dirs ...string) (map[string]map[string]int, error) {
	c.asked++
	return map[string]map[string]int{dirs[0]: {"owner": 1}}, nil
}

func (c *counting) Package(_ context.Context, name string) (*Package, error) {
	c.asked++
	if name == "absent" {
		return nil, ErrNoPackage
	}
	return &Package{Name: name}, nil
}

func TestCacheAsksOnce(t *testing.T) {
	db := &counting{}
	packages := NewCache(db)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if owners, err := packages.Owners(t.Context(), "/a", "/b"); err != nil || len(owners["/a"]) != 1 {
				t.Errorf("owners %v, %v", owners, err)
			}
			if tally, err := packages.Tally(t.Context(), "/a"); err != nil || tally["/a"]["owner"] != 1 {
				t.Errorf("tally %v, %v", tally, err)
			}
			if pkg, err := packages.Package(t.Context(), "p"); err != nil || pkg.Name != "p" {
				t.Errorf("package %v, %v", pkg, err)
			}
		})
	}
	all.Wait()
	if db.asked != 3 {
		t.Errorf("asked %d times", db.asked)
	}
	if owners, err := packages.Owners(t.Context(), "/b", "/a"); err != nil || len(owners["/b"]) != 1 {
		t.Errorf("another question is answered %v, %v", owners, err)
	}
	for range 2 {
		// It may be installed meanwhile.
		if _, err := packages.Package(t.Context(), "absent"); !errors.Is(err, ErrNoPackage) {
			t.Errorf("absent package: %v", err)
		}
	}
	if db.asked != 6 {
		t.Errorf("asked %d times in all", db.asked)
	}
}
