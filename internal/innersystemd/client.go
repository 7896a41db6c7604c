// SPDX-License-Identifier: Apache-2.0

// Package innersystemd talks to the systemd of a running container over the container's bus. In: what enters the
// container, and names of its units; out: their states, a verdict on a start, and errors with text made harmless, since
// root inside may answer what it likes. The verbs of package helper call it.
package innersystemd

import (
	"context"
	"fmt"

	"github.com/coreos/go-systemd/v22/dbus"

	"github.com/virt-sandbox/virt-sandbox/internal/enter"
)

// Names of systemd on a bus (org.freedesktop.systemd1(5)).
const (
	busName   = "org.freedesktop.systemd1"
	busPath   = "/org/freedesktop/systemd1"
	manager   = "org.freedesktop.systemd1.Manager"
	jobsMatch = "type='signal',interface='" + manager + "',member='JobRemoved'"
)

// Client is the systemd of one container, connected. Its methods may be called from several goroutines.
type Client struct{ bus *connection }

// Dial connects to the systemd of a container over the container's system bus, while ctx lasts. Its private socket
// would not do: it turns away whoever has no process number in the container. The connection ends by Close.
func Dial(ctx context.Context, target enter.Target) (*Client, error) {
	stream, err := dialInside(target, "run/dbus/system_bus_socket")
	if err == nil {
		var bus *connection
		if bus, err = newConnection(ctx, stream); err == nil {
			return &Client{bus}, nil
		}
	}
	return nil, asking("", err)
}

// asking says what an error comes of.
func asking(about string, err error) error {
	return fmt.Errorf("ask the container's systemd%s: %w", about, err)
}

// Close ends the connection.
func (c *Client) Close() { c.bus.Close() }

// Failed returns the names of the units that failed, maxNames of them at most.
func (c *Client) Failed(ctx context.Context) ([]string, error) {
	units, err := c.bus.call(ctx, busName, busPath, manager, "ListUnitsFiltered", "a(ssssssouso)", []string{"failed"})
	if err != nil {
		return nil, asking(" for failed units", err)
	}
	var names []string
	for end := units.array(8); units.in(end) && len(names) < maxNames; {
		units.align(8)
		names = append(names, word(units.text()))
		units.skip("sssssouso", 0)
	}
	if units.failed {
		return nil, asking(" for failed units", errWire)
	}
	return names, nil
}

// RunningJobs returns the names of the units whose jobs run, which a boot waits for, maxNames of them at most.
func (c *Client) RunningJobs(ctx context.Context) ([]string, error) {
	jobs, err := c.bus.call(ctx, busName, busPath, manager, "ListJobs", "a(usssoo)")
	if err != nil {
		return nil, asking(" for jobs", err)
	}
	var names []string
	for end := jobs.array(8); jobs.in(end) && len(names) < maxNames; {
		jobs.align(8)
		jobs.uint32()
		unit := jobs.text()
		jobs.text()
		if jobs.text() == "running" {
			names = append(names, word(unit))
		}
		jobs.skip("oo", 0)
	}
	if jobs.failed {
		return nil, asking(" for jobs", errWire)
	}
	return names, nil
}

// Reload has a unit read its configuration again and waits for the end of that. Errors: *UnitError where it failed
// inside; of the context.
func (c *Client) Reload(ctx context.Context, unit string) error {
	result, err := c.reload(ctx, unit)
	if err != nil {
		return fmt.Errorf("reload %s inside: %w", unit, err)
	}
	if result != "done" {
		return &UnitError{Unit: unit, Reason: "was not reloaded (" + result + ")"}
	}
	return nil
}

func (c *Client) reload(ctx context.Context, unit string) (result string, err error) {
	_, err = c.bus.call(ctx, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "",
		jobsMatch)
	if err != nil {
		return "", err
	}
	answer, err := c.bus.call(ctx, busName, busPath, manager, "ReloadUnit", "o", unit, "replace")
	if err != nil {
		return "", err
	}
	job := answer.text()
	if answer.failed {
		return "", errWire
	}
	return c.bus.jobEnd(ctx, job)
}

// Start has a unit be started, and does not wait for it.
func (c *Client) Start(ctx context.Context, unit string) error {
	if _, err := c.bus.call(ctx, busName, busPath, manager, "StartUnit", "o", unit, "replace"); err != nil {
		return fmt.Errorf("start %s inside: %w", unit, err)
	}
	return nil
}

// unitPath is where systemd has a unit on the bus.
func unitPath(unit string) string { return busPath + "/unit/" + dbus.PathBusEscape(unit) }
