// SPDX-License-Identifier: Apache-2.0

package startup

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/opencontainers/selinux/go-selinux"
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/apparmor"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/directive"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// SetBounds bounds a container whose init waits: it gives the container's processes and cgroups their limits, label and
// owner, notes what it may be entered with, and has systemd-machined know it.
func (h *Host) SetBounds(s *config.Sandbox, init int, plan *guest.Plan) error {
	if err := h.noteAdmission(s, init, plan); err != nil {
		if errors.Is(err, enter.ErrEnded) {
			return nil
		}
		return err
	}
	if err := proc.Host.SetLimits(init); err != nil {
		return err
	}
	groups, err := cgroup.Below(string(h.Places)).Of(init)
	if err != nil {
		return fmt.Errorf("find the container's cgroups: %w", err)
	}
	err = errors.Join(groups.LimitPIDs(s.Name, init, uint64(s.Limits.PIDs)), h.labelCgroups(s, groups))
	h.setGroup(s, groups)
	if ids := s.Hardening.IDMap; ids.Mapped() {
		err = errors.Join(err, groups.Delegate(s.Name, init, int(ids.Base)))
	}
	if err != nil {
		return err
	}
	// Where it is by now.
	if groups, err = cgroup.Below(string(h.Places)).Of(init); err != nil {
		return fmt.Errorf("find the container's cgroups: %w", err)
	}
	if err := groups.LimitGroups(s.Name); err != nil {
		return err
	}
	return h.registerMachine(s, init, groups)
}

// setGroup sets what [service] says of the container's cgroup, and warns of what this host's cannot have.
func (h *Host) setGroup(s *config.Sandbox, groups cgroup.Groups) {
	values := make(map[string]string)
	for _, d := range s.ServiceAt(directive.Group) {
		if d.Value == "" {
			delete(values, d.Name)
			continue
		}
		values[d.Name], _ = directive.GroupValue(d.Name, d.Value) // It was checked.
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := groups.Set(s.Name, name, values[name]); err != nil {
			h.Warn("%s= of [service] does not count: %v", name, err)
		}
	}
}

// noteAdmission notes what the container may be entered with, while its init is still ours and waits.
func (h *Host) noteAdmission(s *config.Sandbox, init int, plan *guest.Plan) error {
	a := enter.Admission{Profile: plan.Profile, Filter: plan.SystemCalls}
	var err error
	if a.Init, err = enter.ProcessOf(init); err != nil {
		return err
	}
	if a.Bounding, err = enter.BoundingSet(init); err != nil {
		return fmt.Errorf("read the container's capabilities: %w", err)
	}
	for _, number := range plan.Drop {
		a.Bounding &^= 1 << number
	}
	if h.Content.SELinux() && s.FileLabel() != "" {
		a.Label = s.ProcessLabel()
	}
	if a.Profile == "" {
		a.Profile = apparmor.Root(h.Places).ProfileOf(init)
	}
	if err := h.Places.Of(s.Name).Run().Update(func(state *places.State) { state.Admission = &a }); err != nil {
		return fmt.Errorf("note the container's first process: %w", err)
	}
	return nil
}

// labelCgroups gives the cgroups of a container the label of what it may write, whatever type its content has. What is
// made below them inherits it, so that a container need not be allowed to write to the kernel's type for all cgroups,
// the host's among them.
func (h *Host) labelCgroups(s *config.Sandbox, groups cgroup.Groups) error {
	if s.FileLabel() == "" || !h.Content.SELinux() {
		return nil
	}
	label := s.WritableLabel()
	for _, dir := range groups.OfContainer() {
		if err := selinux.SetFileLabel(dir, label); err != nil {
			return fmt.Errorf("label cgroups: %w", err)
		}
	}
	return nil
}
