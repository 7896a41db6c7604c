package helper

import (
	"errors"
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/foreignmounts"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// setBounds gives the cgroups of a container whose first program waits their limits, label and owner, takes from it what is
// others', and notes what it may be entered with.
func (m *Manager) setBounds(r *Running, plan *guest.Plan) error {
	init, err := initOf(proc.PIDOf(r.Controller))
	if errors.Is(err, proc.ErrNoFirst) {
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
	if !r.Sandbox.Hardening.IDMap.Mapped() {
		// One with ids of its own has a root that was put together without them.
		targets, err := m.claims().OthersTargets(r.Sandbox.Name)
		if err == nil {
			err = foreignmounts.Unmount(r.Sandbox.Name, init, targets)
		}
		if err != nil {
			return err
		}
	}
	groups, err := cgroup.Host().Of(init)
	if err != nil {
		return fmt.Errorf("find the container's cgroups: %w", err)
	}
	s := r.Sandbox
	err = errors.Join(groups.LimitPIDs(s.Name, init, uint64(s.Limits.PIDs)), m.labelCgroups(s, groups))
	if ids := s.Hardening.IDMap; ids.Mapped() {
		err = errors.Join(err, groups.Delegate(s.Name, init, int(ids.Base)))
	}
	return err
}
