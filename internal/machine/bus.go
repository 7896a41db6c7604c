// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	godbus "github.com/godbus/dbus/v5"
)

// bus is what is asked of machined (org.freedesktop.machine1(5)).
type bus interface {
	ofProcess(ctx context.Context, pid int) (Machine, error) // Errors: ErrNone
	named(ctx context.Context, name string) (Machine, error) // Errors: ErrNone
	register(ctx context.Context, m Machine) error
	unregister(ctx context.Context, name string) error
	Close() error
}

const (
	busName   = "org.freedesktop.machine1"
	manager   = busName + ".Manager."
	ofMachine = busName + ".Machine"
	object    = godbus.ObjectPath("/org/freedesktop/machine1")
)

// systemBus is the machined of this host.
type systemBus struct{ *godbus.Conn }

// connectSystem connects to the system bus. Errors: ErrNone where there is none.
func connectSystem(ctx context.Context) (bus, error) {
	connection, err := godbus.ConnectSystemBus(godbus.WithContext(ctx))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("connect to systemd-machined: %w", err)
	}
	return systemBus{connection}, nil
}

func (b systemBus) ofProcess(ctx context.Context, pid int) (Machine, error) {
	return b.machine(ctx, "GetMachineByPID", uint32(pid))
}

func (b systemBus) named(ctx context.Context, name string) (Machine, error) {
	return b.machine(ctx, "GetMachine", name)
}

// machine asks for the object of a machine and for what that says of itself.
func (b systemBus) machine(ctx context.Context, method string, argument any) (m Machine, err error) {
	var path godbus.ObjectPath
	err = b.Object(busName, object).CallWithContext(ctx, manager+method, 0, argument).Store(&path)
	if err != nil {
		return m, failed("ask systemd-machined for a machine", err)
	}
	var said map[string]godbus.Variant
	const getAll = "org.freedesktop.DBus.Properties.GetAll"
	if err := b.Object(busName, path).CallWithContext(ctx, getAll, 0, ofMachine).Store(&said); err != nil {
		return m, failed("ask systemd-machined of a machine", err)
	}
	for name, value := range map[string]any{
		"Name": &m.Name, "Class": &m.Class, "Service": &m.Service, "Unit": &m.Unit, "Leader": &m.Leader,
		"Id": &m.id, "RootDirectory": &m.root, "NetworkInterfaces": &m.interfaces,
	} {
		if err := said[name].Store(value); err != nil {
			return m, fmt.Errorf("read what systemd-machined says of a machine: %s: %w", name, err)
		}
	}
	return m, nil
}

func (b systemBus) register(ctx context.Context, m Machine) error {
	call := b.Object(busName, object).CallWithContext(ctx, manager+"RegisterMachineWithNetwork", 0,
		m.Name, m.id, m.Service, m.Class, m.Leader, m.root, m.interfaces)
	return failed("register "+m.Name+" with systemd-machined", call.Err)
}

func (b systemBus) unregister(ctx context.Context, name string) error {
	call := b.Object(busName, object).CallWithContext(ctx, manager+"UnregisterMachine", 0, name)
	return failed("take "+name+" from systemd-machined", call.Err)
}

// failed wraps the error of a call, in which one that says that there is no machine, or no machined, becomes ErrNone.
func failed(what string, err error) error {
	if err == nil {
		return nil
	}
	var failure godbus.Error
	if errors.As(err, &failure) && isNone(failure.Name) {
		return ErrNone
	}
	return fmt.Errorf("%s: %w", what, err)
}

func isNone(name string) bool {
	switch name {
	case busName + ".NoSuchMachine", busName + ".NoMachineForPID",
		"org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
		"org.freedesktop.systemd1.UnitMasked", "org.freedesktop.systemd1.NoSuchUnit",
		"org.freedesktop.DBus.Error.Disconnected":
		return true
	}
	return strings.HasPrefix(name, "org.freedesktop.DBus.Error.Spawn.")
}
