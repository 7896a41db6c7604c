// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hostsystemd"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// End carries out what systemd asks of a unit that ends, in ExecStop= and ExecStopPost=: it stops the container, or
// leaves it alone where the unit only lost the monitor. last says that it is the last that systemd asks; then a unit
// whose process was killed is started again, which takes over a container that is up.
func (m *Manager) End(ctx context.Context, name string, last bool) error {
	inUnit := os.Getenv("SERVICE_RESULT") != ""
	if inUnit && m.run(name).IsForeign() {
		// Another unit of this container runs it; ours has only found that out.
		return nil
	}
	unit := hostsystemd.OwnUnit{Stopping: true}
	if inUnit {
		var err error
		if unit, err = m.systemd.Own(ctx); err != nil {
			m.Warn("cannot tell what systemd wants of the unit of %s: %v", name, err)
			unit.Stopping = !wasKilled()
		}
	}
	lost := false
	if !unit.Stopping {
		var err error
		if lost, err = m.monitorLost(name); err != nil {
			return err
		}
	}
	if unit := m.run(name).FailedUnit(); unit != "" && !lost {
		// As long as that can be read.
		if s, err := m.asStarted(name); err == nil {
			m.Warn("%s inside has failed; its journal says:\n%s", unit, m.journalOf(s, unit))
		}
	}
	if !lost {
		if err := m.endInUnit(ctx, name, last); err != nil {
			return err
		}
	}
	if !last || unit.Stopping || !wasKilled() {
		return nil
	}
	if lost {
		// Who kills it may want it down. A stop that comes before the start is queued keeps that from it, and the container
		// is ended; one that comes between it and the start, which is soon after, would only cancel the start.
		time.Sleep(stopFollows)
		m.Warn("%s goes on without the process that watched it; the next one takes it over", name)
	}
	if err := m.systemd.StartAgain(ctx, unit.Name); err != nil {
		// As when the host shuts down.
		return errors.Join(err, m.endInUnit(ctx, name, last))
	}
	return nil
}

// stopFollows is how long after a kill of the monitor a stop is waited for.
const stopFollows = 500 * time.Millisecond

func (m *Manager) endInUnit(ctx context.Context, name string, last bool) error {
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

// wasKilled reports whether a signal ended the main process of the unit (systemd.exec(5), EXIT_CODE).
func wasKilled() bool {
	code := os.Getenv("EXIT_CODE")
	return code == "killed" || code == "dumped"
}

// monitorLost reports whether the main process of the unit was killed (systemd.exec(5): MAINPID is set where it lives),
// while the container is up and nobody has begun to stop it.
func (m *Manager) monitorLost(name string) (bool, error) {
	if !wasKilled() || os.Getenv("MAINPID") != "" || m.run(name).Phase() != places.PhaseReady {
		return false, nil
	}
	s, err := m.asStarted(name)
	if err != nil {
		return false, err
	}
	running, err := m.ownDomain(s)
	if err != nil || running == nil {
		return false, err
	}
	running.Free()
	return true, nil
}
