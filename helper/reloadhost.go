package helper

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

// reloadLimit is how long a reload of the host's systemd may take.
const reloadLimit = 90 * time.Second

// ReloadHost makes the host's systemd read units anew, where one runs. Of many that ask at once, one reloads for all
// those that asked before it began: what it did is noted in the lock file that they wait for.
func (m *Manager) ReloadHost(ctx context.Context) error {
	if !SystemdRuns() {
		return nil
	}
	if m.putOff != nil {
		m.putOff.owed.Store(true)
		return nil
	}
	right, err := m.locks().Reload(ctx)
	if err != nil || right == nil {
		return err
	}
	defer right.Release()
	return right.Do(func() error { return reloadSystemd(ctx) })
}

func reloadSystemd(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	systemd, err := dbus.NewSystemConnectionContext(ctx)
	if err != nil {
		return fmt.Errorf("connect to systemd: %w", err)
	}
	defer systemd.Close()
	if err := systemd.ReloadContext(ctx); err != nil {
		return fmt.Errorf("reload systemd: %w", err)
	}
	return nil
}
