// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"errors"
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// SetPaused has a container that is up stand still, or go on; libvirt tells that it is paused, where it can do that:
// with cgroups of version 2 it cannot. A stop ends it all the same. Errors: ErrNotRunning.
func SetPaused(ctx context.Context, m *Manager, name string, paused bool) error {
	lock, err := m.lockName(ctx, name)
	if err != nil {
		return err
	}
	defer lock.Release()
	s, err := m.asStarted(name)
	if err != nil {
		return err
	}
	running, err := m.ownDomain(s)
	if err != nil {
		return err
	}
	if running == nil {
		return fmt.Errorf("%s %w; start it first", name, ErrNotRunning)
	}
	defer running.Free()
	switch {
	case m.run(name).Phase() != places.PhaseReady:
		return fmt.Errorf("an interrupted start or stop left %s half way; run stop first", name)
	case m.isPaused(running, name) == paused:
		return nil
	case running.IsPaused():
		return running.Resume()
	}
	freezer, noFreezer := m.findFreezer(running, name)
	if !paused && noFreezer == nil {
		return freezer.Thaw()
	}
	if err = running.Suspend(); err == nil || noFreezer != nil {
		return err
	}
	if err = freezer.Freeze(ctx); err != nil {
		return errors.Join(err, freezer.Thaw())
	}
	return nil
}

// isPaused reports whether libvirt has a container stand still, or SetPaused has.
func (m *Manager) isPaused(running libvirtDomain, name string) bool {
	if running.IsPaused() {
		return true
	}
	freezer, err := m.findFreezer(running, name)
	return err == nil && m.run(name).State().Frozen == "" && freezer.IsFrozen()
}
