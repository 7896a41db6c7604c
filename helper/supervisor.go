package helper

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/coreos/go-systemd/v22/dbus"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// End carries out what systemd asks of a unit that ends, in ExecStop= and ExecStopPost=: it stops the container, or leaves
// it alone where the unit only lost the process that watched it. last says that it is the last that systemd asks; then a
// unit that lost its watcher is started again, which takes the container over.
func (m *Manager) End(ctx context.Context, name string, last bool) error {
	lost, err := m.watcherLost(name)
	if err != nil {
		return err
	}
	if !lost {
		err := m.Stop(ctx, name)
		if errors.Is(err, ErrNotRunning) || errors.Is(err, config.ErrNotFound) {
			return nil
		}
		var syntax *config.SyntaxError
		if last && errors.As(err, &syntax) {
			// The start has said so; there was nothing to end.
			return nil
		}
		return err
	}
	if watched, err := runtimeOf(name).isWatched(); watched || err != nil || !last {
		// Watched: it is another unit's, and this one has found it running.
		return err
	}
	m.Warn("%s goes on without the process that watched it; the next one takes it over", name)
	return startAgain(ctx)
}

// watcherLost tells whether systemd asks since the main process of the unit ended (systemd.exec(5): MAINPID is set where a
// stop was asked for), while the container is up and nobody has begun to stop it.
func (m *Manager) watcherLost(name string) (bool, error) {
	if os.Getenv("SERVICE_RESULT") == "" || os.Getenv("MAINPID") != "" || runtimeOf(name).phase() != phaseReady {
		return false, nil
	}
	s, err := m.asStarted(name)
	if err != nil {
		return false, err
	}
	connection, err := m.connect()
	if err != nil {
		return false, err
	}
	defer connection.Close()
	running, err := ownDomain(connection, s)
	if err != nil || running == nil {
		return false, err
	}
	running.Free()
	return true, nil
}

// startAgain queues a start of the unit that this process belongs to, for when it has ended. Unlike Restart= it leaves no
// pause in which a stop would find a unit that is down and a container that is up.
func startAgain(ctx context.Context) error {
	systemd, err := dbus.NewSystemConnectionContext(ctx)
	if err != nil {
		return fmt.Errorf("connect to systemd: %w", err)
	}
	defer systemd.Close()
	unit, err := systemd.GetUnitNameByPID(ctx, uint32(os.Getpid()))
	if err != nil {
		return fmt.Errorf("find own unit: %w", err)
	}
	if _, err := systemd.StartUnitContext(ctx, unit, "replace", nil); err != nil {
		return fmt.Errorf("start %s again: %w", unit, err)
	}
	return nil
}
