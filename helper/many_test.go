package helper

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/content"
)

func TestEachBoundsWorkers(t *testing.T) {
	const jobs = 3
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	var running, most atomic.Int64
	var told []string
	Each(t.Context(), names, jobs, func(_ context.Context, name string) error {
		most.Store(max(most.Load(), running.Add(1)))
		time.Sleep(5 * time.Millisecond)
		running.Add(-1)
		if name == "c" {
			return errors.New("of c")
		}
		return nil
	}, func(name string, err error) {
		if (err != nil) != (name == "c") {
			t.Errorf("%s ends with %v", name, err)
		}
		told = append(told, name)
	})
	if slices.Sort(told); !slices.Equal(told, names) {
		t.Errorf("told of %v", told)
	}
	if most.Load() != jobs {
		t.Errorf("%d at a time", most.Load())
	}
}

func TestEachEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	begun := 0
	failed := 0
	Each(ctx, []string{"a", "b", "c"}, 1, func(context.Context, string) error {
		begun++
		cancel()
		return nil
	}, func(_ string, err error) {
		if errors.Is(err, context.Canceled) {
			failed++
		}
	})
	if begun != 1 || failed != 2 {
		t.Errorf("%d were begun and %d failed", begun, failed)
	}
}

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

func (c *counting) Package(_ context.Context, name string) (*content.Package, error) {
	c.asked++
	if name == "absent" {
		return nil, content.ErrNoPackage
	}
	return &content.Package{Name: name}, nil
}

func TestQuestionsAreAskedOnce(t *testing.T) {
	db := &counting{}
	packages := remember(db)
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
		t.Errorf("another question gets %v, %v", owners, err)
	}
	for range 2 {
		// It may be installed meanwhile.
		if _, err := packages.Package(t.Context(), "absent"); !errors.Is(err, content.ErrNoPackage) {
			t.Errorf("absent package: %v", err)
		}
	}
	if db.asked != 6 {
		t.Errorf("asked %d times in all", db.asked)
	}
}
