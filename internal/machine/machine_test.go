// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	godbus "github.com/godbus/dbus/v5"
)

// machined is one that has the rules of systemd's: a name is one machine's, and a process leads one at most. The unit
// is the one that the leader is in when it is registered.
type machined struct {
	machines map[string]Machine
	units    map[uint32]string // by process
	refuse   string            // a name that it does not register
	calls    int
}

const (
	scope      = `machine-lxc\x2d7\x2dweb.scope`
	unit       = "httpd@web.service"
	libvirts   = "lxc-7-web"
	controller = 7
	first      = 8
)

// newMachined returns one in which libvirt has registered the container.
func newMachined() *machined {
	return &machined{
		machines: map[string]Machine{libvirts: {
			Name: libvirts, Class: "container", Service: "libvirt-lxc", Unit: scope, Leader: first,
			id: []byte("0123456789abcdef"),
		}},
		units: map[uint32]string{controller: scope, first: scope},
	}
}

func (m *machined) client() *Client {
	return &Client{func(context.Context) (bus, error) { return m, nil }}
}

func (m *machined) ofProcess(_ context.Context, pid int) (Machine, error) {
	for _, one := range m.machines {
		if one.Leader == uint32(pid) {
			return one, nil
		}
	}
	for _, one := range m.machines {
		if one.Unit == m.units[uint32(pid)] {
			return one, nil
		}
	}
	return Machine{}, ErrNone
}

func (m *machined) named(_ context.Context, name string) (Machine, error) {
	if one, found := m.machines[name]; found {
		return one, nil
	}
	return Machine{}, ErrNone
}

func (m *machined) register(_ context.Context, one Machine) error {
	m.calls++
	if _, found := m.machines[one.Name]; found || one.Name == m.refuse {
		return fmt.Errorf("%s is refused", one.Name)
	}
	for _, other := range m.machines {
		if other.Leader == one.Leader {
			return fmt.Errorf("%d leads %s", one.Leader, other.Name)
		}
	}
	one.Unit = m.units[one.Leader]
	m.machines[one.Name] = one
	return nil
}

func (m *machined) unregister(_ context.Context, name string) error {
	m.calls++
	if _, found := m.machines[name]; !found {
		return ErrNone
	}
	delete(m.machines, name)
	return nil
}

func (m *machined) Close() error { return nil }

// register registers the container, whose first process is in the unit for as long as it takes.
func (m *machined) take() error {
	c := Container{Name: "web", Unit: unit, Controller: controller, Init: first}
	return m.client().Register(context.Background(), c, func(do func() error) error {
		m.units[first] = unit
		defer func() { m.units[first] = scope }()
		return do()
	})
}

// check compares what machined has.
func (m *machined) check(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, name := range slices.Sorted(maps.Keys(m.machines)) {
		one := m.machines[name]
		got = append(got, fmt.Sprintf("%s %s of %s in %s led by %d", one.Name, one.Class, one.Service, one.Unit, one.Leader))
	}
	if !slices.Equal(got, want) {
		t.Errorf("machined has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const (
	asLibvirtMade = libvirts + " container of libvirt-lxc in " + scope + " led by 8"
	beside        = libvirts + " vm of libvirt-lxc in " + scope + " led by 7"
	ours          = "web container of virt-sandbox in " + unit + " led by 8"
)

// TestRegister: the container has its own name with its unit, and a libvirtd that asks by its controller still finds
// the machine and the scope that it made. A second time, as after a start that was killed, changes nothing.
func TestRegister(t *testing.T) {
	m := newMachined()
	for range 2 {
		if err := m.take(); err != nil {
			t.Fatal(err)
		}
		m.check(t, beside, ours)
		if got, err := m.client().Find(t.Context(), controller); got.Name != libvirts || got.Unit != scope {
			t.Errorf("libvirtd finds %+v, %v", got, err)
		}
		if got, err := m.client().Find(t.Context(), first); got.Name != "web" || string(got.id) != "0123456789abcdef" {
			t.Errorf("the first process is in %+v, %v", got, err)
		}
	}
	if err := m.client().Unregister(t.Context(), "web", "httpd@other.service"); err != nil {
		t.Error(err)
	}
	m.check(t, beside, ours)
	for range 2 {
		if err := m.client().Unregister(t.Context(), "web", unit); err != nil {
			t.Error(err)
		}
		m.check(t, beside)
	}
}

// TestRegisterRefused: where the name cannot be had, libvirt's registration is as it was.
func TestRegisterRefused(t *testing.T) {
	foreign := Machine{Name: "web", Class: "container", Service: "systemd-nspawn", Unit: "web.service", Leader: 99}
	for name, c := range map[string]struct {
		prepare func(*machined)
		want    error
		also    []string
	}{
		"taken": {func(m *machined) { m.machines["web"] = foreign }, ErrTaken,
			[]string{"web container of systemd-nspawn in web.service led by 99"}},
		"refused": {func(m *machined) { m.refuse = "web" }, nil, nil},
	} {
		m := newMachined()
		c.prepare(m)
		err := m.take()
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: error %v", name, err)
		}
		m.check(t, append([]string{asLibvirtMade}, c.also...)...)
	}
}

// TestRegisterWithoutMachined: on a host where libvirt does without, so does this.
func TestRegisterWithoutMachined(t *testing.T) {
	m := newMachined()
	clear(m.machines)
	if err := m.take(); !errors.Is(err, ErrNone) || m.calls != 0 {
		t.Errorf("%d changes, error %v", m.calls, err)
	}
	for name, want := range map[string]bool{
		"org.freedesktop.DBus.Error.ServiceUnknown": true, "org.freedesktop.systemd1.UnitMasked": true,
		"org.freedesktop.machine1.NoMachineForPID": true, "org.freedesktop.DBus.Error.AccessDenied": false,
	} {
		err := failed("ask", godbus.Error{Name: name})
		if got := errors.Is(err, ErrNone); got != want {
			t.Errorf("%s is %v", name, err)
		}
	}
}

func TestIsName(t *testing.T) {
	for name, want := range map[string]bool{
		"web1": true, "example.com": true, "Web-1": true, "9": true, strings.Repeat("a", 64): true,
		"web_1": false, "web-": false, "web.": false, "a..b": false, "a.-b": false, "a-.b": false, "": false,
		strings.Repeat("a", 65): false, "../web": false,
	} {
		if got := IsName(name); got != want {
			t.Errorf("IsName(%q) is %t", name, got)
		}
	}
}
