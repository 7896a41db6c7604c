// SPDX-License-Identifier: Apache-2.0

package startup

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/machine"
)

// fakeMachines is a systemd-machined that knows one machine at most.
type fakeMachines struct {
	name  string
	fails error
	calls []string
}

func (f *fakeMachines) Register(_ context.Context, c machine.Container, _ func(func() error) error) error {
	f.calls = append(f.calls, "register "+c.Name)
	return f.fails
}

func (f *fakeMachines) Unregister(_ context.Context, name, unit string) error {
	f.calls = append(f.calls, "unregister "+name+" of "+unit)
	return f.fails
}

func (f *fakeMachines) Find(context.Context, int) (machine.Machine, error) {
	if f.name == "" {
		return machine.Machine{}, machine.ErrNone
	}
	return machine.Machine{Name: f.name}, nil
}

// TestForgetMachine: systemd-machined is asked to forget a container only where it has one of the name, and what it
// answers ends nothing else.
func TestForgetMachine(t *testing.T) {
	h, warnings := newHost(t)
	s, dir := sandbox(t, h)
	machines := &fakeMachines{fails: errors.New("it hangs")}
	h.Machines = machines
	if err := dir.Record(s); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"/run/systemd/machines/web", "/run/systemd/system/"} {
		h.ForgetMachine("web")
		if machines.calls != nil {
			t.Errorf("before %s there is, machined was asked to %q", file, machines.calls)
		}
		hosttest.Add(t, string(h.Places), map[string]string{file: ""})
	}
	h.ForgetMachine("web")
	if !slices.Equal(machines.calls, []string{"unregister web of " + s.HostUnit()}) {
		t.Errorf("machined was asked to %q", machines.calls)
	}
	if got := strings.Join(*warnings, "; "); got != "systemd-machined goes on to know web, which is down: it hangs" {
		t.Errorf("warnings %q", got)
	}
}

// TestMachineOf: there is a name where systemd runs and machined knows the container.
func TestMachineOf(t *testing.T) {
	h, _ := newHost(t)
	machines := &fakeMachines{name: "web"}
	h.Machines = machines
	if got := h.MachineOf(t.Context(), 8); got != "" {
		t.Errorf("without systemd it is %q", got)
	}
	hosttest.Add(t, string(h.Places), map[string]string{"/run/systemd/system/": ""})
	for _, machines.name = range []string{"web", ""} {
		if got := h.MachineOf(t.Context(), 8); got != machines.name {
			t.Errorf("of %q it is %q", machines.name, got)
		}
	}
}

// TestRegisterOutsideOfUnit: what no unit runs keeps the name that libvirt gave it, as does what has no name that a
// machine can have.
func TestRegisterOutsideOfUnit(t *testing.T) {
	h, _ := newHost(t)
	s, _ := sandbox(t, h)
	machines := &fakeMachines{}
	h.Machines = machines
	hosttest.Add(t, string(h.Places), map[string]string{"/run/systemd/system/": ""})
	if err := h.registerMachine(s, 8, cgroup.Groups{}); err != nil || machines.calls != nil {
		t.Errorf("machined was asked to %q, error %v", machines.calls, err)
	}
}
