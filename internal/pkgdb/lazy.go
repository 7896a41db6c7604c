// SPDX-License-Identifier: Apache-2.0

package pkgdb

import (
	"context"
	"fmt"
	"sync"
)

// Lazy opens a database when it is first asked: most verbs ask none. Several goroutines may ask it at once.
type Lazy struct {
	once   sync.Once
	open   func() (Database, error)
	suffix string
	db     Database
	err    error
}

// NewLazy returns the database that open opens; suffix is its NewSuffix, which is told without opening it.
func NewLazy(suffix string, open func() (Database, error)) *Lazy {
	return &Lazy{suffix: suffix, open: open}
}

func (l *Lazy) get() (Database, error) {
	l.once.Do(func() { l.db, l.err = l.open() })
	return l.db, l.err
}

// Owners implements Database.
func (l *Lazy) Owners(ctx context.Context, paths ...string) (map[string][]string, error) {
	db, err := l.get()
	if err != nil {
		return nil, err
	}
	return db.Owners(ctx, paths...)
}

// Tally implements Database.
func (l *Lazy) Tally(ctx context.Context, dirs ...string) (map[string]map[string]int, error) {
	db, err := l.get()
	if err != nil {
		return nil, err
	}
	return db.Tally(ctx, dirs...)
}

// Package implements Database.
func (l *Lazy) Package(ctx context.Context, name string) (*Package, error) {
	db, err := l.get()
	if err != nil {
		return nil, err
	}
	return db.Package(ctx, name)
}

// NewSuffix implements Database.
func (l *Lazy) NewSuffix() string { return l.suffix }

// Empty is the database of a host that has none of a kind.
type Empty struct{}

// Owners implements Database.
func (Empty) Owners(context.Context, ...string) (map[string][]string, error) { return nil, nil }

// Tally implements Database.
func (Empty) Tally(context.Context, ...string) (map[string]map[string]int, error) { return nil, nil }

// Package implements Database. Errors: ErrNoPackage always.
func (Empty) Package(_ context.Context, name string) (*Package, error) {
	return nil, fmt.Errorf("%s: %w", name, ErrNoPackage)
}

// NewSuffix implements Database.
func (Empty) NewSuffix() string { return "" }
