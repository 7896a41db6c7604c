// SPDX-License-Identifier: Apache-2.0

package hostsystemd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	godbus "github.com/godbus/dbus/v5"
)

// Unit is a unit that a generator makes from a file. One that only has the name is not it: distributions ship
// templates such as apache2@.service, which run on the host itself.
type Unit struct {
	Name   string
	Source string // path of that file, the unit's SourcePath=
}

var errNoUnit = errors.New("systemd has no such unit; is virt-sandbox-service-generator in a directory of " +
	"system generators (systemd.generator(7)), and does it run without complaint: virt-sandbox-service-generator " +
	"--dry-run?")

// Start starts a unit and returns when it is up. active reports that it was up before.
func (c *Client) Start(ctx context.Context, unit Unit) (active bool, err error) {
	systemd, err := c.connect(ctx)
	if err != nil {
		return false, err
	}
	defer systemd.Close()
	loaded, active := find(ctx, systemd, unit)
	if !loaded {
		// It came, or its generator did, after systemd looked.
		if err := c.Reload(ctx); err != nil {
			return false, fmt.Errorf("%s: %w", unit.Name, err)
		}
		if loaded, active = find(ctx, systemd, unit); !loaded {
			return false, fmt.Errorf("%s: %w", unit.Name, errNoUnit)
		}
	}
	if active {
		return true, nil
	}
	done := make(chan string, 1)
	if _, err := systemd.StartUnitContext(ctx, unit.Name, "replace", done); err != nil {
		return false, fmt.Errorf("%s: %w", unit.Name, err)
	}
	return false, c.jobOf(ctx, systemd, unit, done)
}

// Restart restarts a unit that is up by one job, which goes on where the caller is killed, and returns when it is up
// again. wasActive reports whether it was up; one that was not stays as it is.
func (c *Client) Restart(ctx context.Context, unit Unit) (wasActive bool, err error) {
	systemd, err := c.connect(ctx)
	if err != nil {
		return false, err
	}
	defer systemd.Close()
	if _, active := find(ctx, systemd, unit); !active {
		return false, nil
	}
	done := make(chan string, 1)
	if _, err := systemd.RestartUnitContext(ctx, unit.Name, "replace", done); err != nil {
		return true, fmt.Errorf("%s: %w", unit.Name, err)
	}
	return true, c.jobOf(ctx, systemd, unit, done)
}

// Stop stops a unit and returns when it is down. A unit that systemd does not have is down.
func (c *Client) Stop(ctx context.Context, unit Unit) error {
	systemd, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer systemd.Close()
	if loaded, _ := find(ctx, systemd, unit); !loaded {
		return nil
	}
	done := make(chan string, 1)
	_, err = systemd.StopUnitContext(ctx, unit.Name, "replace", done)
	var failure godbus.Error
	if errors.As(err, &failure) && failure.Name == "org.freedesktop.systemd1.NoSuchUnit" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", unit.Name, err)
	}
	return c.jobOf(ctx, systemd, unit, done)
}

// jobOf waits for the end of a unit's job. The error of one that failed quotes the unit's journal.
func (c *Client) jobOf(ctx context.Context, systemd bus, unit Unit, done <-chan string) error {
	err := awaitJob(ctx, done)
	if jobFailed(err) {
		return fmt.Errorf("%s: %w; its journal says:\n%s", unit.Name, err, c.lastJournal(ctx, systemd, unit.Name))
	}
	if errors.Is(err, ErrReplaced) {
		return fmt.Errorf("%s: %w", unit.Name, err)
	}
	return err
}

// find reports whether systemd has a unit and whether it is active.
func find(ctx context.Context, systemd bus, unit Unit) (loaded, active bool) {
	properties, err := systemd.GetUnitPropertiesContext(ctx, unit.Name)
	if err != nil || properties["SourcePath"] != unit.Source || properties["LoadState"] != "loaded" {
		return false, false
	}
	return true, properties["ActiveState"] == "active"
}

// RunsAnother reports whether systemd has started something under a unit's name that is not the unit: an instance of
// the distribution's template.
func (c *Client) RunsAnother(ctx context.Context, unit Unit) (bool, error) {
	if !c.Booted() {
		return false, nil
	}
	systemd, err := c.connect(ctx)
	if err != nil {
		return false, err
	}
	defer systemd.Close()
	properties, err := systemd.GetUnitPropertiesContext(ctx, unit.Name)
	if err != nil || properties["SourcePath"] == unit.Source {
		return false, nil
	}
	state := properties["ActiveState"]
	return state != "inactive" && state != "failed", nil
}

// Status is what systemd knows of a unit.
type Status struct {
	InactiveSince time.Time // when it went down, in UTC; zero where it was never up
	Failed        bool
	Result        string // why it failed (systemd.service(5), $SERVICE_RESULT)
	ExitStatus    int32  // of its main process, where it failed
	Said          string // by that process, of how it fares (sd_notify(3), STATUS=)
	LastLine      string // of its journal, where it failed
}

// Status returns what systemd knows of a unit; nil where it does not have it.
func (c *Client) Status(ctx context.Context, unit Unit) (*Status, error) {
	systemd, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer systemd.Close()
	properties, err := systemd.GetAllPropertiesContext(ctx, unit.Name)
	if err != nil || properties["SourcePath"] != unit.Source {
		return nil, nil
	}
	s := &Status{Failed: properties["ActiveState"] == "failed"}
	if micro, _ := properties["InactiveEnterTimestamp"].(uint64); micro > 0 {
		s.InactiveSince = time.UnixMicro(int64(micro)).UTC()
	}
	if s.Failed {
		s.Result = fmt.Sprint(properties["Result"])
		s.ExitStatus, _ = properties["ExecMainStatus"].(int32)
		s.Said, _ = properties["StatusText"].(string)
		lines := strings.Split(strings.TrimSpace(c.lastJournal(ctx, systemd, unit.Name)), "\n")
		s.LastLine = lines[len(lines)-1]
	}
	return s, nil
}

// Forget has systemd drop a unit whose file is gone, where systemd runs.
func (c *Client) Forget(ctx context.Context, name string) error {
	if !c.Booted() {
		return nil
	}
	if systemd, err := c.connect(ctx); err == nil {
		// A failed unit would stay loaded; for any other there is nothing to reset.
		_ = systemd.ResetFailedUnitContext(ctx, name)
		systemd.Close()
	}
	return c.Reload(ctx)
}
