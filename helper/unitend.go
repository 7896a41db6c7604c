// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"errors"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/unitend"
)

// End carries out what systemd asks of a unit that ends, in ExecStop= and ExecStopPost=: it stops the container, or
// leaves it alone where the unit only lost the monitor. last says that it is the last that systemd asks; then a unit
// whose process was killed is started again, which takes over a container that is up.
func (m *Manager) End(ctx context.Context, name string, last bool) error {
	return unitend.Unit{
		Name: name, Run: m.run(name), Systemd: m.systemd, Warn: m.Warn, Journal: m.journalOf,
		Started: func() (*config.Sandbox, error) { return m.asStarted(name) },
		Lives:   func() (bool, error) { return m.hasController(name) },
		Stop: func(ctx context.Context, spared func() bool) error {
			if err := m.stopUnless(ctx, name, spared); !errors.Is(err, ErrNotRunning) {
				return err
			}
			return nil
		},
	}.End(ctx, last)
}

// hasController reports whether libvirt's process of a container lives, by files alone.
func (m *Manager) hasController(name string) (bool, error) {
	controller, err := m.stateFiles().Controller(name)
	if controller == nil || err != nil {
		return false, err
	}
	controller.Close()
	return true, nil
}
