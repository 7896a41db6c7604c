// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// Reload makes units of a running container read their configuration anew: those that are named, or else the
// container's own that can. Errors: ErrNotRunning.
func (m *Manager) Reload(ctx context.Context, name string, named ...string) error {
	s, err := m.asStarted(name)
	if err != nil {
		return err
	}
	if s.Generic() {
		return fmt.Errorf("%s runs a command, which cannot be reloaded; restart it", name)
	}
	for i, unit := range named {
		named[i] = unitname.Complete(unit)
		if err := config.CheckUnit(named[i]); err != nil {
			return field.Errorf("%s: %w", field.Units, err)
		}
	}
	if _, err := m.controllerPID(s); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Limits.StartTimeout)
	defer cancel()
	systemd, err := m.inside(ctx, s)
	if err != nil {
		return err
	}
	defer systemd.Close()
	units, err := reloadable(ctx, systemd, s, named)
	if err != nil {
		return err
	}
	var failures []error
	for _, unit := range units {
		err := systemd.Reload(ctx, unit)
		var failure *UnitError
		if errors.As(err, &failure) {
			failure.Journal = m.journalOf(s, unit)
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// reloadable returns the units that are to be reloaded. One that is named and cannot be is refused, before any other
// is.
func reloadable(ctx context.Context, systemd innerSystemd, s *config.Sandbox, named []string) ([]string, error) {
	asked := named
	if len(named) == 0 {
		asked = s.Units
	}
	var units []string
	for _, unit := range asked {
		state, err := systemd.Unit(ctx, unit)
		if err != nil {
			return nil, err
		}
		switch {
		case len(named) > 0 && state.Load != "loaded":
			return nil, fmt.Errorf("%s inside is %s", unit, state.Load)
		case len(named) > 0 && state.Active != "active":
			return nil, fmt.Errorf("%s inside is %s, and only what is active can be reloaded", unit, state.Active)
		case state.CanReload:
			units = append(units, unit)
		case len(named) > 0:
			return nil, fmt.Errorf("%s inside has no ExecReload=; restart it", unit)
		}
	}
	if len(units) == 0 {
		return nil, fmt.Errorf("%s of %s cannot be reloaded; restart it", strings.Join(s.Units, ", "), s.Name)
	}
	return units, nil
}
