package helper

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/debdeps"
	"github.com/virt-sandbox/virt-sandbox/rpmdeps"
)

// Packages gives the package databases of this machine, RPM before dpkg; each is opened when it is first asked, and asked
// a question only once, since many sandboxes of one service ask the same.
func Packages() []content.Packages {
	return []content.Packages{
		remember(&lazy{suffix: (*rpmdeps.DB)(nil).NewSuffix(), open: func() (content.Packages, error) {
			db, err := rpmdeps.Open(rpmdeps.Dirs()...)
			if errors.Is(err, rpmdeps.ErrNoDatabase) {
				return nothing{}, nil
			}
			return db, err
		}}),
		remember(&lazy{suffix: (*debdeps.DB)(nil).NewSuffix(), open: func() (content.Packages, error) {
			db, err := debdeps.Open(debdeps.DefaultDir, "/")
			if errors.Is(err, debdeps.ErrNoDatabase) {
				return nothing{}, nil
			}
			return db, err
		}}),
	}
}

// lazy opens a database when it is needed: most verbs ask none.
type lazy struct {
	once   sync.Once
	open   func() (content.Packages, error)
	suffix string
	db     content.Packages
	err    error
}

func (l *lazy) get() (content.Packages, error) {
	l.once.Do(func() { l.db, l.err = l.open() })
	return l.db, l.err
}

// Owners implements content.Packages.
func (l *lazy) Owners(ctx context.Context, paths ...string) (map[string][]string, error) {
	db, err := l.get()
	if err != nil {
		return nil, err
	}
	return db.Owners(ctx, paths...)
}

// Tally implements content.Packages.
func (l *lazy) Tally(ctx context.Context, dirs ...string) (map[string]map[string]int, error) {
	db, err := l.get()
	if err != nil {
		return nil, err
	}
	return db.Tally(ctx, dirs...)
}

// Package implements content.Packages.
func (l *lazy) Package(ctx context.Context, name string) (*content.Package, error) {
	db, err := l.get()
	if err != nil {
		return nil, err
	}
	return db.Package(ctx, name)
}

// NewSuffix implements content.Packages.
func (l *lazy) NewSuffix() string { return l.suffix }

// nothing is the database of a host that has none of the kind.
type nothing struct{}

func (nothing) Owners(context.Context, ...string) (map[string][]string, error) { return nil, nil }

func (nothing) Tally(context.Context, ...string) (map[string]map[string]int, error) { return nil, nil }

func (nothing) Package(_ context.Context, name string) (*content.Package, error) {
	return nil, fmt.Errorf("%s: %w", name, content.ErrNoPackage)
}

func (nothing) NewSuffix() string { return "" }
