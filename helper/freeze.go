// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/freezing"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// hold keeps a container that is up from changing its content until release is called: it freezes the container, if it
// may. Should the caller be killed, a process that waits for that thaws the container, and so does whoever locks the
// name next. Preconditions: the caller holds the lock on the sandbox's name.
func (m *Manager) hold(ctx context.Context, s *config.Sandbox, freeze bool) (release func() error, err error) {
	nothing := func() error { return nil }
	started, err := m.asStarted(s.Name)
	if err != nil {
		return nil, err
	}
	running, err := m.ownDomain(started)
	if err != nil {
		return nil, err
	}
	if running == nil {
		return nothing, nil
	}
	defer running.Free()
	if p := m.run(s.Name).Phase(); p != places.PhaseReady {
		return nil, fmt.Errorf("an interrupted start or stop left %s half way; run stop first", s.Name)
	}
	if !freeze {
		return nil, field.Errorf("%s %w; stop it first, or have it halted for as long as the copy takes with %s",
			s.Name, ErrRunning, field.Freeze)
	}
	if m.isPaused(running, s.Name) {
		return nothing, nil
	}
	freezer, err := m.findFreezer(running, s.Name)
	if err != nil {
		return nil, fmt.Errorf("halt %s: %w", s.Name, err)
	}
	return freezing.Freeze(ctx, m.run(s.Name), freezer, freezing.Guard{URI: m.URI, Name: s.Name})
}

// Thaw thaws a container that a killed process left frozen.
func (m *Manager) Thaw(ctx context.Context, name string) error {
	lock, err := m.lockName(ctx, name)
	if err != nil {
		return err
	}
	lock.Release()
	return nil
}

// findFreezer finds the group that all processes of a container are in.
func (m *Manager) findFreezer(running controlled, name string) (cgroup.Freezer, error) {
	controller, err := controllerOf(running)
	if err != nil {
		return "", err
	}
	defer controller.Close()
	init, err := m.initOf(controller.PID())
	if err != nil {
		return "", err
	}
	groups, err := m.cgroups().Of(init)
	if err != nil {
		return "", err
	}
	return groups.Freezer(name)
}
