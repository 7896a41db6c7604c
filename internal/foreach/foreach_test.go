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
	var running atomic.Int64
	all := make(chan struct{}) // closed once as many as may are at work
	var told []string
	Do(t.Context(), names, jobs, func(_ context.Context, name string) error {
		now := running.Add(1)
		defer running.Add(-1)
		switch {
		case now > jobs:
			t.Errorf("%d at a time", now)
		case now == jobs && name <= "c":
			close(all)
		}
		select {
		case <-all:
		case <-time.After(10 * time.Second):
			t.Errorf("%s is not one of %d at a time", name, jobs)
		}
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
