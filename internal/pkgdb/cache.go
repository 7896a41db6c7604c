// SPDX-License-Identifier: Apache-2.0

package pkgdb

import (
	"context"
	"strings"
	"sync"
)

// Cache answers a question that was asked before as it was then: each look-up reads the whole database. Several
// goroutines may ask it at once: one of them looks, and the others wait for its answer.
type Cache struct {
	db Database

	mu       sync.Mutex
	owners   map[string]map[string][]string
	tallies  map[string]map[string]map[string]int
	packages map[string]*Package
}

// NewCache returns a cache before db. Answers that are errors are not kept.
func NewCache(db Database) *Cache {
	return &Cache{
		db: db, owners: make(map[string]map[string][]string), tallies: make(map[string]map[string]map[string]int),
		packages: make(map[string]*Package),
	}
}

// Owners implements Database.
func (c *Cache) Owners(ctx context.Context, paths ...string) (map[string][]string, error) {
	return lookup(c, c.owners, paths, func() (map[string][]string, error) { return c.db.Owners(ctx, paths...) })
}

// Tally implements Database.
func (c *Cache) Tally(ctx context.Context, dirs ...string) (map[string]map[string]int, error) {
	return lookup(c, c.tallies, dirs, func() (map[string]map[string]int, error) { return c.db.Tally(ctx, dirs...) })
}

// Package implements Database.
func (c *Cache) Package(ctx context.Context, name string) (*Package, error) {
	return lookup(c, c.packages, []string{name}, func() (*Package, error) { return c.db.Package(ctx, name) })
}

// NewSuffix implements Database.
func (c *Cache) NewSuffix() string { return c.db.NewSuffix() }

// lookup returns the answer to a question, and keeps one that ask has found without an error.
func lookup[T any](c *Cache, answers map[string]T, question []string, ask func() (T, error)) (T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := strings.Join(question, "\x00")
	if answer, found := answers[key]; found {
		return answer, nil
	}
	answer, err := ask()
	if err == nil {
		answers[key] = answer
	}
	return answer, err
}
