// SPDX-License-Identifier: Apache-2.0

package foreach

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

func TestBoundsWorkers(t *testing.T) {
	const jobs = 3
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	var running, most atomic.Int64
	var told []string
	Do(t.Context(), names, jobs, func(_ context.Context, name string) error {
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

func TestEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	begun := 0
	failed := 0
	Do(ctx, []string{"a", "b", "c"}, 1, func(context.Context, string) error {
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
