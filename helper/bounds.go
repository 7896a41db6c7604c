package helper

import (
	"errors"
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/guest"
	"github.com/virt-sandbox/virt-sandbox/helper/enter"
)

// setBounds gives the cgroups of a container whose first program waits their limits, label and owner, and notes what it may
// be entered with.
func (m *Manager) setBounds(r *Running, plan *guest.Plan) error {
	init, err := initOf(r.controllerPID())
	if errors.Is(err, errNoInit) {
		return nil // It has ended already, which awaitReady tells.
	}
	if err != nil {
		return err
	}
	if err := m.noteAdmission(r.Sandbox, init, plan); err != nil {
		if errors.Is(err, enter.ErrEnded) {
			return nil
		}
		return err
	}
	groups, err := enter.Cgroups(init)
	if err != nil {
		return fmt.Errorf("find the container's cgroups: %w", err)
	}
	return errors.Join(limitPIDs(r.Sandbox, init, groups), m.labelCgroups(r.Sandbox, groups), giveCgroup(r.Sandbox, init, groups))
}
