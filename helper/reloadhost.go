package helper

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"
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
	asked, err := now()
	if err != nil {
		return err
	}
	lock, err := m.lockByte(ctx, reloadByte, "the reload of systemd")
	if err != nil {
		return err
	}
	defer lock.release()
	var note [8]byte
	if n, _ := lock.file.ReadAt(note[:], 0); n == len(note) && int64(binary.LittleEndian.Uint64(note[:])) > asked {
		return nil
	}
	begun, err := now()
	if err != nil {
		return err
	}
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
	binary.LittleEndian.PutUint64(note[:], uint64(begun))
	if _, err := lock.file.WriteAt(note[:], 0); err != nil {
		return fmt.Errorf("note the reload of systemd: %w", err)
	}
	return nil
}

// now is the time since boot in nanoseconds, the same for all processes.
func now() (int64, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0, fmt.Errorf("read the clock: %w", err)
	}
	return t.Nano(), nil
}
