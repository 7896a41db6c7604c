// SPDX-License-Identifier: Apache-2.0

package pkgdb

import (
	"errors"
	"testing"
)

func TestLazyOpensOnce(t *testing.T) {
	opened := 0
	db := NewLazy(".new", func() (Database, error) {
		opened++
		return &counting{}, nil
	})
	if got := db.NewSuffix(); got != ".new" || opened != 0 {
		t.Errorf("suffix %q, opened %d times", got, opened)
	}
	for range 2 {
		if pkg, err := db.Package(t.Context(), "p"); err != nil || pkg.Name != "p" {
			t.Errorf("package %v, %v", pkg, err)
		}
		if owners, err := db.Owners(t.Context(), "/a"); err != nil || len(owners) != 1 {
			t.Errorf("owners %v, %v", owners, err)
		}
		if tally, err := db.Tally(t.Context(), "/a"); err != nil || len(tally) != 1 {
			t.Errorf("tally %v, %v", tally, err)
		}
	}
	if opened != 1 {
		t.Errorf("opened %d times", opened)
	}
}

func TestLazyReturnsWhatOpenSays(t *testing.T) {
	damaged := errors.New("damaged")
	db := NewLazy("", func() (Database, error) { return nil, damaged })
	_, owners := db.Owners(t.Context(), "/a")
	_, tally := db.Tally(t.Context(), "/a")
	_, pkg := db.Package(t.Context(), "p")
	for question, err := range map[string]error{"owners": owners, "tally": tally, "package": pkg} {
		if !errors.Is(err, damaged) {
			t.Errorf("%s: got %v", question, err)
		}
	}
}

func TestEmpty(t *testing.T) {
	owners, err := Empty{}.Owners(t.Context(), "/a")
	if len(owners) != 0 || err != nil {
		t.Errorf("owners %v, %v", owners, err)
	}
	tally, err := Empty{}.Tally(t.Context(), "/a")
	if len(tally) != 0 || err != nil {
		t.Errorf("tally %v, %v", tally, err)
	}
	if _, err := (Empty{}).Package(t.Context(), "p"); !errors.Is(err, ErrNoPackage) {
		t.Errorf("package: %v", err)
	}
}
