package helper

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/coreos/go-systemd/v22/dbus"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// Reload makes units of a running container read their configuration anew: those that are named, or else the container's own
// that can. Errors: ErrNotRunning.
func (m *Manager) Reload(ctx context.Context, name string, named ...string) error {
	s, err := m.asStarted(name)
	if err != nil {
		return err
	}
	if s.Generic() {
		return fmt.Errorf("%s runs a command, which cannot be reloaded; restart it", name)
	}
	for i, unit := range named {
		named[i] = content.UnitName(unit)
		if err := config.CheckUnit(named[i]); err != nil {
			return fmt.Errorf("-u: %w", err)
		}
	}
	if _, err := m.controllerPID(s); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Limits.StartTimeout)
	defer cancel()
	manager, err := m.innerManagerOf(ctx, s)
	if err != nil {
		return err
	}
	defer manager.Close()
	units, err := reloadable(ctx, manager, s, named)
	if err != nil {
		return err
	}
	var failures []error
	for _, unit := range units {
		result, err := reloadUnit(ctx, manager, unit)
		if err != nil {
			failures = append(failures, fmt.Errorf("reload %s inside: %s", unit, printable.Text(err.Error())))
		} else if result != "done" {
			failure := &UnitError{Unit: unit, Reason: "was not reloaded (" + printable.Text(result) + ")"}
			failure.Journal = m.journalOf(s, unit)
			failures = append(failures, failure)
		}
	}
	return errors.Join(failures...)
}

// reloadable gives the units that are to be reloaded. One that is named and cannot be is refused, before any other is.
func reloadable(ctx context.Context, manager *dbus.Conn, s *config.Sandbox, named []string) ([]string, error) {
	asked := named
	if len(named) == 0 {
		asked = s.Units
	}
	var units []string
	for _, unit := range asked {
		state, err := readUnit(ctx, manager, unit)
		if err != nil {
			return nil, err
		}
		switch {
		case len(named) > 0 && state.load != "loaded":
			return nil, fmt.Errorf("%s inside is %s", unit, state.load)
		case len(named) > 0 && state.active != "active":
			return nil, fmt.Errorf("%s inside is %s, and only what is active can be reloaded", unit, state.active)
		case state.canReload:
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

func reloadUnit(ctx context.Context, manager *dbus.Conn, unit string) (result string, err error) {
	done := make(chan string, 1)
	if _, err := manager.ReloadUnitContext(ctx, unit, "replace", done); err != nil {
		return "", err
	}
	select {
	case result := <-done:
		return result, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
