// SPDX-License-Identifier: Apache-2.0

package hostsystemd

import (
	"context"
	"fmt"
	"os/exec"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
)

// Service is a program to be run as a service without a unit file (systemd-run(1)).
type Service struct {
	Unit, Description string
	Args              []string // the program, looked for as a shell does, and its arguments
	Before            string   // a unit that starts after it and ends before it
}

// RunForking runs a program that puts itself into the background, and returns when it has (Type=forking). The error of
// one that fails quotes what it logged.
func (c *Client) RunForking(ctx context.Context, service Service) error {
	program, err := exec.LookPath(service.Args[0])
	if err != nil {
		return err
	}
	systemd, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer systemd.Close()
	_ = systemd.ResetFailedUnitContext(ctx, service.Unit)
	done := make(chan string, 1)
	_, err = systemd.StartTransientUnitContext(ctx, service.Unit, "replace", []dbus.Property{
		dbus.PropDescription(service.Description),
		dbus.PropExecStart(append([]string{program}, service.Args[1:]...), true),
		dbus.PropType("forking"),
		{Name: "Before", Value: godbus.MakeVariant([]string{service.Before})},
	}, done)
	if err != nil {
		return fmt.Errorf("start %s: %w", service.Unit, err)
	}
	err = awaitJob(ctx, done)
	if jobFailed(err) {
		words := c.lastJournal(ctx, systemd, service.Unit)
		_ = systemd.ResetFailedUnitContext(ctx, service.Unit)
		return fmt.Errorf("%s: %s", service.Unit, words)
	}
	return err
}
