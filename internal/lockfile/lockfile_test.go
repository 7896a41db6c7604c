// SPDX-License-Identifier: Apache-2.0

package lockfile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/mcs"
)

func parse(t *testing.T, text string) mcs.Level {
	t.Helper()
	level, err := mcs.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return level
}

// A name is one process's at a time, and the next one gets it when it is released.
func TestName(t *testing.T) {
	ctx := context.Background()
	f := New(t.TempDir(), nil)
	first, err := f.Name(ctx, "web1")
	if err != nil {
		t.Fatal(err)
	}
	if second, err := f.TryName("web1"); second != nil || err != nil {
		t.Errorf("a name that is held: got %v, %v", second, err)
	}
	other, err := f.TryName("web2")
	if other == nil || err != nil {
		t.Fatalf("another name: got %v, %v", other, err)
	}
	other.Release()
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := f.Name(short, "web1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for a name that is held: got %v", err)
	}
	first.Release()
	again, err := f.Name(ctx, "web1")
	if err != nil {
		t.Fatal(err)
	}
	again.Release()
	new(Lock).Release()
}

// Two commands that lock the same names in another order both come to an end.
func TestNames(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	f := New(t.TempDir(), nil)
	var wait sync.WaitGroup
	for _, names := range [][]string{{"a", "b", "c"}, {"c", "b", "a"}, {"b", "a"}} {
		wait.Go(func() {
			for range 5 {
				locks, err := f.Names(ctx, names...)
				if err != nil {
					t.Error(err)
					return
				}
				locks.Release()
			}
		})
	}
	wait.Wait()
}

// Who waits long is told of what, once.
func TestWarn(t *testing.T) {
	var warnings []string
	f := New(t.TempDir(), func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) })
	held, err := f.Images(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	ctx, cancel := context.WithTimeout(context.Background(), 2500*time.Millisecond)
	defer cancel()
	if _, err := f.Images(ctx); err == nil {
		t.Error("got what another holds")
	}
	if want := []string{"waiting for another command that works on images"}; !slices.Equal(warnings, want) {
		t.Errorf("got %q, want %q", warnings, want)
	}
}

// A level that is reserved is seen by others until it is released, whatever its categories are.
func TestLevels(t *testing.T) {
	ctx := context.Background()
	f := New(t.TempDir(), nil)
	var held Locks
	texts := []string{"s0", "s0:c0", "s0:c1023", "s0:c0,c1023", "s0:c1,c2", "s0:c5.c9,c11", "s0:c0.c1023", "s0:c1,c2"}
	for _, text := range texts {
		a, err := f.Allocate(ctx, "level")
		if err != nil {
			t.Fatal(err)
		}
		l, err := a.Level(parse(t, text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		held = append(held, l)
		a.Release()
	}
	levels := func() []string {
		a, err := f.Allocate(ctx, "level")
		if err != nil {
			t.Fatal(err)
		}
		defer a.Release()
		var found []string
		for _, level := range a.Levels() {
			found = append(found, level.String())
		}
		slices.Sort(found)
		return found
	}
	if got, want := levels(), slices.Sorted(slices.Values(texts)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	held[6].Release()
	want := slices.Sorted(slices.Values(slices.Delete(slices.Clone(texts), 6, 7)))
	if got := levels(); !slices.Equal(got, want) {
		t.Errorf("after a release: got %v, want %v", got, want)
	}
	held.Release()
	if got := levels(); len(got) > 0 {
		t.Errorf("after all were released: got %v", got)
	}
}

// Ranges of ids exclude each other where they overlap, and do not meet levels.
func TestIDs(t *testing.T) {
	f := New(t.TempDir(), nil)
	a, err := f.Allocate(context.Background(), "ids")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Release()
	taken, err := a.IDs(Range{10, 12})
	if err != nil || taken == nil {
		t.Fatalf("got %v, %v", taken, err)
	}
	for _, c := range []struct {
		first, last uint32
		free        bool
	}{{9, 9, true}, {9, 10, false}, {11, 11, false}, {12, 20, false}, {13, 13, true}, {0, 0, true}, {1<<32 - 1, 1<<32 - 1,
		true}} {
		l, err := a.IDs(Range{c.first, c.last})
		if err != nil || (l != nil) != c.free {
			t.Errorf("%d to %d: got %v, %v", c.first, c.last, l, err)
		}
		l.Release()
	}
	if levels := a.Levels(); len(levels) > 0 {
		t.Errorf("ids are read as levels: %v", levels)
	}
}

// A reservation that ends while somebody chooses is not given again: what holds it then, a config, may have been
// written after the configs were read.
func TestIDsReleasedWhileChosen(t *testing.T) {
	f := New(t.TempDir(), nil)
	ctx := context.Background()
	first, err := f.Allocate(ctx, "ids")
	if err != nil {
		t.Fatal(err)
	}
	held, err := first.IDs(Range{1<<16 - 1, 1<<16 + 1})
	if err != nil || held == nil {
		t.Fatalf("got %v, %v", held, err)
	}
	first.Release()
	second, err := f.Allocate(ctx, "ids")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Release()
	held.Release()
	for _, wanted := range []Range{{1<<16 - 1, 1<<16 - 1}, {1 << 16, 1 << 16}, {1<<16 + 1, 1<<16 + 2}, {0, 1<<32 - 1}} {
		if l, err := second.IDs(wanted); l != nil || err != nil {
			t.Errorf("%v: got %v, %v", wanted, l, err)
		}
	}
	if l, err := second.IDs(Range{1<<16 + 2, 1<<16 + 2}); l == nil || err != nil {
		t.Errorf("beside it: got %v, %v", l, err)
	}
}

// Of many that ask for a reload at once, few reload, and each is covered by one that began after it had asked.
func TestReload(t *testing.T) {
	ctx := context.Background()
	f := New(t.TempDir(), nil)
	var mu sync.Mutex
	reloads := 0
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			right, err := f.Reload(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			if right == nil {
				return
			}
			defer right.Release()
			err = right.Do(func() error {
				mu.Lock()
				defer mu.Unlock()
				reloads++
				time.Sleep(20 * time.Millisecond)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if reloads == 0 || reloads > 10 {
		t.Errorf("%d reloads for 20 that asked at once", reloads)
	}
	// One that failed covers nobody.
	right, err := f.Reload(ctx)
	if err != nil || right == nil {
		t.Fatalf("got %v, %v", right, err)
	}
	failure := errors.New("no bus")
	if err := right.Do(func() error { return failure }); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	right.Release()
	if right, err = f.Reload(ctx); err != nil || right == nil {
		t.Errorf("after a reload that failed: got %v, %v", right, err)
	}
	right.Release()
}

// The parts of the file do not overlap.
func TestLayout(t *testing.T) {
	for _, name := range []string{"", "a", "web1", strings.Repeat("x", 63)} {
		if b := nameByte(name); b < nameBytes {
			t.Errorf("name %q lies at %d", name, b)
		}
	}
	if lastID := int64(idBytes) + 1<<32 - 1; lastID >= imageByte {
		t.Errorf("ids reach to %d", lastID)
	}
	if levels := int64(idBytes-levelBytes) / slotBytes; levels < 1<<16 {
		t.Errorf("there is room for %d levels", levels)
	}
}
