package helper

import (
	"context"
	"strings"
	"sync"

	"github.com/virt-sandbox/virt-sandbox/internal/content"
)

// remembering answers a question that was asked before as it was then: each reads the whole database. It may be asked by
// several at once; one of them looks, and the others wait for its answer.
type remembering struct {
	db content.Packages

	mu       sync.Mutex
	owners   map[string]map[string][]string
	tallies  map[string]map[string]map[string]int
	packages map[string]*content.Package
}

func remember(db content.Packages) content.Packages {
	return &remembering{
		db: db, owners: make(map[string]map[string][]string), tallies: make(map[string]map[string]map[string]int),
		packages: make(map[string]*content.Package),
	}
}

// Owners implements content.Packages.
func (r *remembering) Owners(ctx context.Context, paths ...string) (map[string][]string, error) {
	return recall(r, r.owners, paths, func() (map[string][]string, error) { return r.db.Owners(ctx, paths...) })
}

// Tally implements content.Packages.
func (r *remembering) Tally(ctx context.Context, dirs ...string) (map[string]map[string]int, error) {
	return recall(r, r.tallies, dirs, func() (map[string]map[string]int, error) { return r.db.Tally(ctx, dirs...) })
}

// Package implements content.Packages.
func (r *remembering) Package(ctx context.Context, name string) (*content.Package, error) {
	return recall(r, r.packages, []string{name}, func() (*content.Package, error) { return r.db.Package(ctx, name) })
}

// NewSuffix implements content.Packages.
func (r *remembering) NewSuffix() string { return r.db.NewSuffix() }

// recall gives the answer to a question, and keeps one that look has found without an error.
func recall[T any](r *remembering, answers map[string]T, question []string, look func() (T, error)) (T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := strings.Join(question, "\x00")
	if answer, found := answers[key]; found {
		return answer, nil
	}
	answer, err := look()
	if err == nil {
		answers[key] = answer
	}
	return answer, err
}
