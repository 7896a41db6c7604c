// SPDX-License-Identifier: Apache-2.0

package startup

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/machine"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/wellformed"
)

// Machines is what is asked of systemd-machined.
type Machines interface {
	Register(ctx context.Context, c machine.Container, within func(do func() error) error) error
	Unregister(ctx context.Context, name, unit string) error
	Find(ctx context.Context, pid int) (machine.Machine, error)
}

// machineLimit is how long systemd-machined may take to answer.
const machineLimit = 5 * time.Second

// machines returns the host's systemd-machined; nil where no systemd runs.
func (h *Host) machines() Machines {
	if _, err := os.Lstat(string(h.Places) + "/run/systemd/system"); err != nil {
		return nil
	}
	if h.Machines != nil {
		return h.Machines
	}
	return machine.New()
}

// registerMachine has systemd-machined know a container whose init waits by its sandbox's name. That it does not is no
// reason to fail. A container that no unit runs keeps the name that libvirt gave it: machined would not see it end.
// Errors: cgroup.ErrAway.
func (h *Host) registerMachine(s *config.Sandbox, init int, groups cgroup.Groups) error {
	name, machines := wellformed.Hostname(s.Name), h.machines()
	if machines == nil || !machine.IsName(name) {
		return nil
	}
	unit, err := cgroup.Below(string(h.Places)).Of(os.Getpid())
	if err != nil || !unit.IsOfUnit(s.HostUnit()) {
		return nil
	}
	status, err := proc.Host.Status(init)
	if err != nil {
		return nil // It has ended, which others tell.
	}
	ctx, cancel := context.WithTimeout(context.Background(), machineLimit)
	defer cancel()
	c := machine.Container{Name: name, Unit: s.HostUnit(), Controller: status.Parent(), Init: init}
	err = machines.Register(ctx, c, func(do func() error) error { return groups.Visit(unit, init, do) })
	if errors.Is(err, cgroup.ErrAway) {
		return err
	}
	if err != nil && !errors.Is(err, machine.ErrNone) {
		h.Warn("systemd-machined does not know %s by its name: %v", s.Name, err)
	}
	return nil
}

// ForgetMachine takes its name from a container that is down.
func (h *Host) ForgetMachine(sandbox string) {
	name, machines := wellformed.Hostname(sandbox), h.machines()
	if machines == nil || !machine.IsName(name) || !machine.HasFile(string(h.Places), name) {
		return
	}
	s, err := h.Places.Of(sandbox).Run().Recorded()
	if err != nil {
		if s, err = h.Configs.Load(sandbox); err != nil {
			return
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), machineLimit)
	defer cancel()
	if err := machines.Unregister(ctx, name, s.HostUnit()); err != nil {
		h.Warn("systemd-machined goes on to know %s, which is down: %v", sandbox, err)
	}
}

// MachineOf returns the name by which systemd-machined knows a container that is up, by its first process; "" for none.
func (h *Host) MachineOf(ctx context.Context, init int) string {
	machines := h.machines()
	if machines == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, machineLimit)
	defer cancel()
	found, err := machines.Find(ctx, init)
	if err != nil {
		return ""
	}
	return found.Name
}
