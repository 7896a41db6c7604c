// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"net/netip"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hostnet"
	"github.com/virt-sandbox/virt-sandbox/internal/overview"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// List tells of every sandbox that has a config. Where libvirt cannot be asked for states, or files may not be read,
// they are unknown, and there is an error too: in the latter case ErrNotShown.
func (m *Manager) List(ctx context.Context) ([]Row, error) {
	names, err := m.Store.Names()
	if err != nil || len(names) == 0 {
		return nil, err
	}
	enabled := overview.ReadEnabled(m.stubs().Dir())
	if m.byFiles {
		return m.onlooker().List(names, enabled)
	}
	connection, unknown := m.libvirt.Connect()
	if unknown == nil {
		defer connection.Close()
	}
	var list []Row
	for _, name := range names {
		row := Row{Status: Status{Name: name}, Addresses: []netip.Prefix{}}
		s, running := (*config.Sandbox)(nil), libvirtDomain(nil)
		if unknown != nil {
			row.Status, s = overview.Describe(m.Store, name)
		} else if row.Status, s, running, err = m.statusOf(connection, name); err != nil {
			return nil, err
		}
		if s != nil {
			starts := enabled.Has(s)
			row.Enabled = &starts
		}
		if running != nil {
			m.lookFrom(ctx, &row, s, running)
			running.Free()
		}
		list = append(list, row)
	}
	return list, unknown
}

// lookFrom tells of a container that is up what can be seen from the host. What cannot is left out.
func (m *Manager) lookFrom(ctx context.Context, row *Row, s *config.Sandbox, running libvirtDomain) {
	if run := m.run(s.Name).State(); !run.Since.IsZero() {
		since := run.Since.Truncate(time.Second)
		row.Since = &since
	}
	controller, err := running.ControllerPID()
	if err != nil {
		return
	}
	init, err := m.initOf(controller)
	if err != nil {
		return
	}
	if row.State == overview.Running && m.run(s.Name).IsDegraded() {
		row.State = m.stateInside(ctx, s)
	}
	row.SetHealth(s.Health, m.run(s.Name).Health())
	row.NeedsRestart = places.IsStale(m.run(s.Name))
	row.Consumption = overview.ConsumptionOf(m.cgroups(), init, s.Name)
	if len(s.Interfaces) == 0 {
		return
	}
	if addresses, err := hostnet.AddressesOf(ctx, init); err == nil {
		row.Addresses = append(row.Addresses, addresses...)
	}
}

// stateInside asks a container that is up how it is. What does not answer is not well.
func (m *Manager) stateInside(ctx context.Context, s *config.Sandbox) string {
	units, failed, err := m.askInside(ctx, s)
	if err != nil {
		return overview.Degraded
	}
	return overview.StateInside(units, failed)
}

// statusOf looks at one sandbox: its status, its config as it was started or as it is, and its domain where it is up.
// Without a usable config there is only the first.
func (m *Manager) statusOf(connection libvirtConnection, name string) (Status, *config.Sandbox, libvirtDomain, error) {
	status, s := overview.Describe(m.Store, name)
	if s == nil {
		return status, nil, nil, nil
	}
	status.State = overview.Stopped
	started, err := m.asStarted(name)
	if err != nil {
		return status, nil, nil, err
	}
	running, err := upDomain(connection, started)
	status.Interrupted = m.isInterrupted(name)
	switch {
	case err != nil:
		status.State, status.Error = overview.Unusable, err.Error()
	case running != nil:
		status.State, status.Level = overview.Running, started.Security.Level
		if phase := m.run(name).Phase(); phase != places.PhaseReady && phase != "" {
			status.State = string(phase)
		}
	case s.State == config.StateDeleting:
		status.State = overview.Deleting
	}
	return status, started, running, nil
}

// isInterrupted reports whether a command that was killed left a sandbox while it was starting or stopping.
func (m *Manager) isInterrupted(name string) bool {
	if !m.run(name).Phase().IsBetween() {
		return false
	}
	lock, err := m.locks().TryName(name)
	defer lock.Release()
	return lock != nil && err == nil && m.run(name).Phase().IsBetween()
}
