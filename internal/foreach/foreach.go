// SPDX-License-Identifier: Apache-2.0

// Package foreach does something for each of many names, some at a time. In: names and what to do. Out: what came of
// each, one at a time. Commands that take many sandboxes call it.
package foreach

import (
	"context"
	"sync"
	"sync/atomic"
)

// Do calls act for each name, at most jobs at a time and in their order, and done with what came of it, one at a
// time. When the context ends, those that have not begun fail with its reason.
func Do(
	ctx context.Context,
	names []string,
	jobs int,
	act func(context.Context, string) error,
	done func(name string, err error),
) {
	var next atomic.Int64
	var reporting sync.Mutex
	var workers sync.WaitGroup
	for range min(max(jobs, 1), len(names)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(names); i = int(next.Add(1)) - 1 {
				err := context.Cause(ctx)
				if err == nil {
					err = act(ctx, names[i])
				}
				reporting.Lock()
				done(names[i], err)
				reporting.Unlock()
			}
		})
	}
	workers.Wait()
}
