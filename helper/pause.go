// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// SetPaused has a container that is up stand still, or go on; libvirt tells that it is paused. A stop ends it all the
// same. Errors: ErrNotRunning.
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
	case running.IsPaused() == paused:
		return nil
	case paused:
		return running.Suspend()
	}
	return running.Resume()
}
