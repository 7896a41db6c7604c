package helper

import (
	"context"
	"sync"
	"sync/atomic"
)

// Each calls act for each name, at most jobs at a time and in their order, and done with what came of it, one at a time.
// When the context ends, those that have not begun fail with its reason.
func Each(ctx context.Context, names []string, jobs int, act func(context.Context, string) error, done func(name string, err error)) {
	var next atomic.Int64
	var telling sync.Mutex
	var workers sync.WaitGroup
	for range min(max(jobs, 1), len(names)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(names); i = int(next.Add(1)) - 1 {
				err := context.Cause(ctx)
				if err == nil {
					err = act(ctx, names[i])
				}
				telling.Lock()
				done(names[i], err)
				telling.Unlock()
			}
		})
	}
	workers.Wait()
}

// reloads is what becomes of reloads of the host's systemd that are put off.
type reloads struct{ owed atomic.Bool }

// Together has the host's systemd read units anew once after all that f does with this manager, and not for each.
func (m *Manager) Together(ctx context.Context, f func()) error {
	m.putOff = new(reloads)
	f()
	owed := m.putOff.owed.Load()
	m.putOff = nil
	if !owed {
		return nil
	}
	// What has been made is there even if the rest was interrupted.
	return m.ReloadHost(context.WithoutCancel(ctx))
}
