// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/launch"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
	"golang.org/x/sys/unix"
)

// ErrNotRunning is returned by Stop for a container that is down.
var ErrNotRunning = errors.New("is not running")

// Stop shuts a container down in order, and by force after its stop-timeout. Errors: ErrNotRunning.
func (m *Manager) Stop(ctx context.Context, name string) error {
	return m.stopUnless(ctx, name, func() bool { return false })
}

// stopUnless is Stop unless the container, which nobody else starts or stops meanwhile, is not to be stopped.
func (m *Manager) stopUnless(ctx context.Context, name string, spared func() bool) error {
	lock, err := m.lockName(ctx, name)
	if err != nil || spared() {
		lock.Release()
		return err
	}
	defer lock.Release()
	s, err := m.asStarted(name)
	if err != nil {
		return err
	}
	before := m.run(name).Phase()
	// First of all, so that whoever comes after an interruption knows that the end was asked for.
	m.run(name).NoteStopping(m.Warn)
	if before == "" {
		// libvirt, which may have gone by itself, need not come back only to say so.
		controller, err := m.stateFiles().Controller(name)
		if err != nil {
			return err
		}
		if controller == nil {
			return m.notRunning(name)
		}
		controller.Close()
	}
	connection, err := m.libvirt.Connect()
	if err != nil && !virt.IsAway(err) && before != "" {
		// It goes on as it was.
		return errors.Join(err, m.run(name).SetPhase(before))
	}
	limit := s.Limits.StopTimeout
	if before == places.PhaseStarting {
		// Its start was interrupted: init may not heed yet what would have it end in order.
		limit = min(limit, failedStartLimit)
	}
	tries := 0
	if err == nil {
		defer connection.Close()
		err = m.libvirt.WithReconnect(ctx, connection, func(connection libvirtConnection) error {
			tries++
			return m.stopOver(ctx, connection, s, limit)
		})
	}
	if virt.IsAway(err) {
		tries++
		err = m.stopWithoutLibvirt(ctx, s, limit)
	}
	if tries > 1 && errors.Is(err, ErrNotRunning) {
		// The one before has brought it down.
		return nil
	}
	return err
}

// stopOver is Stop with a connection to libvirt.
func (m *Manager) stopOver(
	ctx context.Context, connection libvirtConnection, s *config.Sandbox, limit time.Duration,
) error {
	running, err := connection.OwnDomain(s)
	if err != nil {
		return err
	}
	if running == nil {
		return m.notRunning(s.Name)
	}
	running.Free()
	return m.end(ctx, connection, s, limit)
}

// notRunning says so, once nothing is left of an earlier run. Errors: ErrNotRunning.
func (m *Manager) notRunning(name string) error {
	if err := m.sweep(name); err != nil {
		return err
	}
	return fmt.Errorf("%s %w", name, ErrNotRunning)
}

// endLeftover brings down what an interrupted verb left: at once when it has never been up and there is nothing in it
// worth an orderly end.
func (m *Manager) endLeftover(ctx context.Context, connection libvirtConnection, s *config.Sandbox) error {
	limit := s.Limits.StopTimeout
	if p := m.run(s.Name).Phase(); p == places.PhaseStarting || p == "" {
		limit = 0
	}
	return m.end(ctx, connection, s, limit)
}

// end brings a container down, if it is up, and removes what it had at run time.
func (m *Manager) end(ctx context.Context, connection libvirtConnection, s *config.Sandbox, limit time.Duration) error {
	running, err := connection.OwnDomain(s)
	if err != nil {
		return err
	}
	if running != nil {
		defer running.Free()
		if err := m.bringDown(ctx, running, s, limit); err != nil {
			return err
		}
	}
	m.hostnet().RemoveDevices(s)
	return m.sweep(s.Name)
}

// endingDomain is a domain that is brought down.
type endingDomain interface {
	controlled
	// Destroy ends it by force.
	Destroy() error
	// AwaitGone waits until libvirt has noticed its end.
	AwaitGone(name string) error
}

// bringDown ends a container, in order within a limit and by force after that, until libvirt knows that it has ended.
func (m *Manager) bringDown(ctx context.Context, running endingDomain, s *config.Sandbox, limit time.Duration) error {
	m.run(s.Name).NoteStopping(m.Warn)
	controller, err := controllerOf(running)
	if err != nil {
		// It ended between the two questions, which libvirt must agree to.
		return running.AwaitGone(s.Name)
	}
	defer controller.Close()
	destroy := func() error {
		if err := running.Destroy(); err != nil && !controller.Wait(0) {
			return err
		}
		return nil
	}
	if err := m.shutDown(ctx, controller, s, limit, destroy); err != nil {
		return err
	}
	return running.AwaitGone(s.Name)
}

// shutDown asks the first process of a container for an orderly end, and destroys what does not end within the limit.
func (m *Manager) shutDown(ctx context.Context, controller *proc.Process, s *config.Sandbox, limit time.Duration,
	destroy func() error) error {
	init, err := m.stateFiles().OpenFirst(controller.PID())
	if err != nil {
		return virt.EndByForce(s.Name, controller, nil, destroy)
	}
	defer init.Close()
	// Root inside may have frozen itself, and then hears nothing. Of one that has ended there is nothing to thaw.
	groups, _ := m.cgroups().Of(init.PID())
	var asked time.Time
	for deadline := time.Now().Add(limit); ; {
		if first := asked.IsZero(); first || time.Since(asked) > repeatSignalAfter {
			groups.Thaw(s.Name)
			if first || !s.Generic() {
				_ = init.Signal(guest.ShutdownSignal(s.Generic()))
			}
			asked = time.Now()
		}
		if controller.Wait(min(limit, 100*time.Millisecond)) {
			break
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w while %s shuts down, which it goes on to do", context.Cause(ctx), s.Name)
		}
		if time.Now().After(deadline) {
			if limit > failedStartLimit {
				m.Warn("%s did not shut down in %v; ending it by force", s.Name, limit)
			}
			break
		}
	}
	defer groups.KeepThawed(s.Name)()
	return virt.EndByForce(s.Name, controller, init, destroy)
}

// repeatSignalAfter is after how long a systemd is asked once more to end its container: one that has only just begun
// ignores the signal.
const repeatSignalAfter = 2 * time.Second

// sweep removes what a container that is down has left at run time: its runtime directory, its cgroups, libvirt's mount
// points.
func (m *Manager) sweep(name string) error {
	m.startup().ForgetMachine(name)
	return errors.Join(
		m.startup().RootTree(name).Remove(),
		m.claims().Detach(name),
		launch.RemoveLeft(m.places(name)),
		m.cgroups().Remove(cgroup.OwnName(name)),
		m.stateFiles().RemoveMountPoints(name),
		m.run(name).Remove(), // last: it says that there was a run
	)
}

// stopWithoutLibvirt brings a container down without libvirt: systemd starts no libvirtd while a unit that is ordered
// after it stops, so the stop of a container would wait for what waits for it. Errors: ErrNotRunning.
func (m *Manager) stopWithoutLibvirt(ctx context.Context, s *config.Sandbox, limit time.Duration) error {
	controller, err := m.stateFiles().Controller(s.Name)
	if err != nil {
		return err
	}
	if controller == nil {
		if err := m.stateFiles().RemoveState(s.Name); err != nil {
			return err
		}
		return m.notRunning(s.Name)
	}
	defer controller.Close()
	m.Warn("libvirt does not answer; shutting %s down without it, and it forgets the domain when it is back", s.Name)
	groups := m.cgroups().MadeByLibvirt(controller.PID())
	kill := func() error { return controller.Signal(unix.SIGKILL) }
	if err := m.shutDown(ctx, controller, s, limit, kill); err != nil {
		return err
	}
	if err := m.stateFiles().RemoveState(s.Name); err != nil {
		return err
	}
	if groups != "" {
		if err := m.cgroups().Remove(groups); err != nil {
			return err
		}
	}
	m.hostnet().RemoveDevices(s)
	return m.sweep(s.Name)
}
