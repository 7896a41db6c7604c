// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/innersystemd"
	"github.com/virt-sandbox/virt-sandbox/internal/overview"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfailed"
)

// innerSystemd is the systemd of a running container, as far as the verbs need it.
type innerSystemd interface {
	Unit(ctx context.Context, unit string) (innersystemd.State, error)
	WaitActive(ctx context.Context, units []string) (states []string, err error)
	Failed(ctx context.Context) ([]string, error)
	RunningJobs(ctx context.Context) ([]string, error)
	Reload(ctx context.Context, unit string) error
	Start(ctx context.Context, unit string) error
	Close()
}

// UnitError is a unit that did not come up inside.
type UnitError = innersystemd.UnitError

// dialInside connects to the systemd of the running container of a sandbox.
func (m *Manager) dialInside(ctx context.Context, s *config.Sandbox) (innerSystemd, error) {
	target, err := m.targetOf(s)
	if err != nil {
		return nil, err
	}
	return innersystemd.Dial(ctx, target)
}

// checkUnits returns the states of a container's units, which ought to be up.
func (m *Manager) checkUnits(ctx context.Context, s *config.Sandbox) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return m.awaitUnits(ctx, s)
}

// awaitUnits waits until the units of a container are up and returns their states.
func (m *Manager) awaitUnits(ctx context.Context, s *config.Sandbox) (states []string, err error) {
	systemd, err := m.inside(ctx, s)
	if err != nil {
		return nil, err
	}
	defer systemd.Close()
	if states, err = systemd.WaitActive(ctx, s.Units); err != nil {
		return nil, err
	}
	// What came before the monitor listens.
	if m.stateInside(ctx, s) != overview.Running {
		err = m.run(s.Name).NoteDegraded()
	}
	return states, err
}

// tellFailures has the container tell once more of what has failed inside.
func (m *Manager) tellFailures(ctx context.Context, s *config.Sandbox) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	systemd, err := m.inside(ctx, s)
	if err != nil {
		return err
	}
	defer systemd.Close()
	return systemd.Start(ctx, unitfailed.Unit)
}

// journalOf reads the last lines that a unit logged inside; "" where that cannot be entered.
func (m *Manager) journalOf(s *config.Sandbox, unit string) string {
	target, err := m.targetOf(s)
	if err != nil {
		return ""
	}
	return innersystemd.Journal(target, s.Name, unit)
}
