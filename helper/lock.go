package helper

import (
	"context"

	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
)

// locks returns the lock file of this host.
func (m *Manager) locks() *lockfile.File { return lockfile.New(m.Host.Root, m.Warn) }

// lockName waits until nobody else works on the sandbox, and thaws it: one that is still frozen was left so by a process
// that was killed, since the one that freezes it holds the lock as long as it is frozen.
func (m *Manager) lockName(ctx context.Context, name string) (*lockfile.Lock, error) {
	l, err := m.locks().Name(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := thaw(m.run(name)); err != nil {
		l.Release()
		return nil, err
	}
	return l, nil
}

// lockNames is lockName for several, in an order in which no two commands wait for each other.
func (m *Manager) lockNames(ctx context.Context, names ...string) (lockfile.Locks, error) {
	l, err := m.locks().Names(ctx, names...)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := thaw(m.run(name)); err != nil {
			l.Release()
			return nil, err
		}
	}
	return l, nil
}
