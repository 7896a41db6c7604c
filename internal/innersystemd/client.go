// SPDX-License-Identifier: Apache-2.0

// Package innersystemd talks to the systemd of a running container over the container's bus. In: what enters the
// container, and names of its units; out: their states, a verdict on a start, and errors with text made harmless, since
// root inside may answer what it likes. The verbs of package helper call it.
package innersystemd

import (
	"context"
	"fmt"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"

	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// bus is what is used of a connection to systemd.
type bus interface {
	GetAllPropertiesContext(ctx context.Context, unit string) (map[string]any, error)
	ListUnitsFilteredContext(ctx context.Context, states []string) ([]dbus.UnitStatus, error)
	ListJobsContext(ctx context.Context) ([]dbus.JobStatus, error)
	ReloadUnitContext(ctx context.Context, unit, mode string, done chan<- string) (int, error)
	Close()
}

// Client is the systemd of one container, connected. Its methods may be called from several goroutines.
type Client struct{ bus bus }

// Dial connects to the systemd of a container over the container's system bus. Its private socket would not do: it
// turns away whoever has no process number in the container. The connection ends with ctx, or by Close.
func Dial(ctx context.Context, target enter.Target) (*Client, error) {
	connection, err := dbus.NewConnection(func() (*godbus.Conn, error) { return dialBus(ctx, target) })
	if err != nil {
		return nil, fmt.Errorf("ask the container's systemd: %s", printable.Text(err.Error()))
	}
	return &Client{connection}, nil
}

func dialBus(ctx context.Context, target enter.Target) (*godbus.Conn, error) {
	stream, err := dialInside(target, "run/dbus/system_bus_socket")
	if err != nil {
		return nil, err
	}
	connection, err := godbus.NewConn(stream, godbus.WithContext(ctx))
	if err != nil {
		stream.Close()
		return nil, err
	}
	err = connection.Auth([]godbus.Auth{godbus.AuthExternal("0")})
	if err == nil {
		err = connection.Hello()
	}
	if err != nil {
		connection.Close()
		return nil, err
	}
	return connection, nil
}

// Close ends the connection.
func (c *Client) Close() { c.bus.Close() }

// Failed returns the names of the units that failed.
func (c *Client) Failed(ctx context.Context) ([]string, error) {
	units, err := c.bus.ListUnitsFilteredContext(ctx, []string{"failed"})
	if err != nil {
		return nil, fmt.Errorf("ask the container's systemd for failed units: %s", printable.Text(err.Error()))
	}
	var names []string
	for _, unit := range units {
		names = append(names, printable.Text(unit.Name))
	}
	return names, nil
}

// RunningJobs returns the names of the units whose jobs run, which a boot waits for.
func (c *Client) RunningJobs(ctx context.Context) ([]string, error) {
	jobs, err := c.bus.ListJobsContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the container's systemd for jobs: %s", printable.Text(err.Error()))
	}
	var names []string
	for _, j := range jobs {
		if j.Status == "running" {
			names = append(names, printable.Text(j.Unit))
		}
	}
	return names, nil
}

// Reload has a unit read its configuration again and waits for the end of that. Errors: *UnitError where it failed
// inside; of the context.
func (c *Client) Reload(ctx context.Context, unit string) error {
	done := make(chan string, 1)
	if _, err := c.bus.ReloadUnitContext(ctx, unit, "replace", done); err != nil {
		return fmt.Errorf("reload %s inside: %s", unit, printable.Text(err.Error()))
	}
	select {
	case result := <-done:
		if result != "done" {
			return &UnitError{Unit: unit, Reason: "was not reloaded (" + printable.Text(result) + ")"}
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("reload %s inside: %w", unit, context.Cause(ctx))
	}
}
