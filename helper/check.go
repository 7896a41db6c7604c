// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"

	"github.com/virt-sandbox/virt-sandbox/internal/checkup"
	"github.com/virt-sandbox/virt-sandbox/internal/contentcheck"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// Finding is something of a sandbox that is not as it should be.
type Finding = contentcheck.Finding

// Check lists what of a sandbox, which may be up, is not as it should be: its config, the unit file, images, content
// and labels, and what interrupted verbs have left. With fix it sets labels right, and nothing else. Errors:
// config.ErrNotFound.
func (m *Manager) Check(ctx context.Context, name string, fix bool) ([]Finding, error) {
	c := checkup.Checker{
		Configs: m.Store, Host: m.Host, Images: m.images(), Stubs: m.stubs(), Provisioner: m.provisioner(),
		LockName: m.lockName, FailedInside: m.failedInside, Warn: m.Warn,
	}
	return c.Check(ctx, name, fix)
}

// failedInside lists the units that have failed inside a container that is up. One that is paused has no answer.
func (m *Manager) failedInside(ctx context.Context, name string) ([]string, error) {
	s, err := m.asStarted(name)
	if err != nil || s.Generic() || m.run(name).Phase() != places.PhaseReady {
		return nil, nil
	}
	running, err := m.seenDomain(name)
	if running == nil || err != nil {
		return nil, err
	}
	defer running.Free()
	if m.isPaused(running, name) {
		return nil, nil
	}
	_, failed, err := m.askInside(ctx, s)
	return failed, err
}
