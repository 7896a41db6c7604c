// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"errors"
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/innersystemd"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// Reload makes units of a running container read their configuration anew: those that are named, or else the
// container's own that can. What was changed in its content from outside is seen. Errors: ErrNotRunning.
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
	_, err = m.controllerPID(s)
	if err := errors.Join(err, m.run(name).State().Admission.RefreshEtc()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Limits.StartTimeout)
	defer cancel()
	systemd, err := m.inside(ctx, s)
	if err != nil {
		return err
	}
	defer systemd.Close()
	units, err := innersystemd.Reloadable(ctx, systemd.Unit, s, named)
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
