package helper

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// Reload makes the units of a running container read their configuration anew, those that can. Errors: ErrNotRunning.
func (m *Manager) Reload(ctx context.Context, name string) error {
	s, err := m.asStarted(name)
	if err != nil {
		return err
	}
	if s.Generic() {
		return fmt.Errorf("%s runs a command, which cannot be reloaded; restart it", name)
	}
	if _, err := m.controllerPID(s); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Limits.StartTimeout)
	defer cancel()
	return m.reloadUnits(ctx, s)
}

func (m *Manager) reloadUnits(ctx context.Context, s *config.Sandbox) error {
	manager, err := innerManagerOf(ctx, s)
	if err != nil {
		return err
	}
	defer manager.Close()
	var failures []error
	reloaded := 0
	for _, unit := range s.Units {
		if can, err := manager.GetUnitPropertyContext(ctx, unit, "CanReload"); err != nil || can.Value.Value() != true {
			continue
		}
		done := make(chan string, 1)
		if _, err := manager.ReloadUnitContext(ctx, unit, "replace", done); err != nil {
			failures = append(failures, fmt.Errorf("reload %s inside: %s", unit, clean(err.Error())))
			continue
		}
		select {
		case result := <-done:
			if result != "done" {
				failure := &UnitError{Unit: unit, Reason: "was not reloaded (" + clean(result) + ")"}
				failure.Journal = journalOf(s, unit)
				failures = append(failures, failure)
			}
			reloaded++
		case <-ctx.Done():
			return fmt.Errorf("reload %s inside: %w", unit, context.Cause(ctx))
		}
	}
	if reloaded == 0 && len(failures) == 0 {
		return fmt.Errorf("%s of %s cannot be reloaded; restart it", strings.Join(s.Units, ", "), s.Name)
	}
	return errors.Join(failures...)
}
