// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hostsystemd"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// hostSystemd is the host's systemd, as far as the verbs need it.
type hostSystemd interface {
	Booted() bool
	Start(ctx context.Context, unit hostsystemd.Unit) (active bool, err error)
	Restart(ctx context.Context, unit hostsystemd.Unit) (wasActive bool, err error)
	Stop(ctx context.Context, unit hostsystemd.Unit) error
	Status(ctx context.Context, unit hostsystemd.Unit) (*hostsystemd.Status, error)
	RunsAnother(ctx context.Context, unit hostsystemd.Unit) (bool, error)
	Forget(ctx context.Context, name string) error
	Own(ctx context.Context) (hostsystemd.OwnUnit, error)
	StartAgain(ctx context.Context, unit hostsystemd.OwnUnit, uncounted bool) error
	RunForking(ctx context.Context, service hostsystemd.Service) error
	Reload(ctx context.Context) error
	BatchReloads(ctx context.Context, f func()) error
}

// SystemdRuns reports whether this host was booted with systemd (sd_booted(3)).
func SystemdRuns() bool { return hostsystemd.New(nil).Booted() }

// StartUnit starts a container through its unit of the host's systemd and returns when it is up.
func (m *Manager) StartUnit(ctx context.Context, name string) error {
	s, err := m.Store.Load(name)
	if err != nil {
		return err
	}
	active, err := m.systemd.Start(ctx, m.hostUnit(s))
	if active {
		m.Warn("%s %v", name, ErrAlreadyRunning)
	}
	return err
}

// RestartUnit restarts a container through its unit of the host's systemd, which does so by one job, whatever becomes
// of the caller. It reports whether that could be: not where the unit is not up, or will have another name.
func RestartUnit(ctx context.Context, m *Manager, name string) (asked bool, err error) {
	started, err := m.asStarted(name)
	if err != nil {
		return false, err
	}
	s, err := m.Store.Load(name)
	if err != nil || started.HostUnit() != s.HostUnit() {
		return false, err
	}
	return m.systemd.Restart(ctx, m.hostUnit(s))
}

// StopUnit stops the unit of a container, and the container itself where no unit runs it.
func (m *Manager) StopUnit(ctx context.Context, name string) error {
	s, err := m.asStarted(name)
	if err != nil {
		return err
	}
	if err := m.systemd.Stop(ctx, m.hostUnit(s)); err != nil || m.run(name).Phase() == "" {
		return err
	}
	return m.Stop(ctx, name)
}

// hostUnit returns the unit of the host that the generator makes from a sandbox's config.
func (m *Manager) hostUnit(s *config.Sandbox) hostsystemd.Unit {
	return hostsystemd.Unit{Name: s.HostUnit(), Source: m.Store.SourcePath(s.Name)}
}

// ReloadHost has the host's systemd read unit files again, where one runs. Of many that ask at once, one reloads for
// all those that asked before it began.
func (m *Manager) ReloadHost(ctx context.Context) error { return m.systemd.Reload(ctx) }

// BatchReloads calls f and then has the host's systemd read unit files again once for all that f did with this manager.
func (m *Manager) BatchReloads(ctx context.Context, f func()) error {
	return m.systemd.BatchReloads(ctx, f)
}

// reloadOnce calls reload unless another process has reloaded since it was asked for: the lock file notes when.
func (m *Manager) reloadOnce(ctx context.Context, reload func() error) error {
	right, err := m.locks().Reload(ctx)
	if err != nil || right == nil {
		return err
	}
	defer right.Release()
	return right.Do(reload)
}

// UnitFile is where the stub unit file of a sandbox lies.
func UnitFile(s *config.Sandbox) string { return filepath.Join(units.Dir, s.HostUnit()) }

// WriteUnitFile gives a sandbox the stub unit file that create would have made, for a config that came another way or
// has come to name another first unit. It returns the unit's name.
func (m *Manager) WriteUnitFile(ctx context.Context, name string) (string, error) {
	lock, err := m.lockName(ctx, name)
	if err != nil {
		return "", err
	}
	defer lock.Release()
	s, err := m.Store.Load(name)
	if err != nil {
		return "", err
	}
	if s.State == config.StateDeleting {
		return "", fmt.Errorf("%s is being deleted; run delete again to finish that", name)
	}
	if err := m.stubs().Renew(s); err != nil {
		return "", err
	}
	return s.HostUnit(), nil
}
