// SPDX-License-Identifier: Apache-2.0

package innersystemd

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// UnitError is a unit that did not come up or was not reloaded inside.
type UnitError struct {
	Unit, Reason string
	Journal      string // its last lines, for a person
}

// Error names the unit and says what is wrong with it.
func (e *UnitError) Error() string { return fmt.Sprintf("%s inside %s", e.Unit, e.Reason) }

// settleTime is how long a service must be up that systemd counts as started when it is merely executed: one that ends
// at once is active for a moment too.
const settleTime = 250 * time.Millisecond

// maxRestarts is how many automatic restarts make a unit count as failed.
const maxRestarts = 3

// pollInterval is the time between two questions for a unit's state.
const pollInterval = 50 * time.Millisecond

// WaitActive waits until each unit is active and returns their states, in words. Errors: *UnitError for one that failed
// or was not active when ctx ended.
func (c *Client) WaitActive(ctx context.Context, units []string) (states []string, err error) {
	for _, unit := range units {
		for {
			state, err := c.Unit(ctx, unit)
			if err != nil {
				return nil, err
			}
			up, reason := state.Verdict()
			if reason != "" {
				return nil, &UnitError{Unit: unit, Reason: reason}
			}
			if up {
				states = append(states, fmt.Sprintf("%s %s (%s)", unit, state.Active, state.Sub))
				break
			}
			select {
			case <-ctx.Done():
				return nil, &UnitError{Unit: unit, Reason: "did not start in time (" + state.Active + ")"}
			case <-time.After(pollInterval):
			}
		}
	}
	return states, nil
}

// State is what systemd says of a unit (org.freedesktop.systemd1(5)).
type State struct {
	Load, Active, Sub, Result string

	Type      string // of a service (systemd.service(5), Type=)
	Restarts  uint32 // automatic ones
	Skipped   bool   // by a condition
	Ran       bool   // its main process was started at least once
	CanReload bool
	ActiveFor time.Duration
}

// Unit returns the state of a unit; of one that systemd does not have, Load says so.
func (c *Client) Unit(ctx context.Context, unit string) (State, error) {
	properties, err := c.bus.GetAllPropertiesContext(ctx, unit)
	if err != nil {
		if ctx.Err() != nil {
			return State{}, ctx.Err()
		}
		return State{}, fmt.Errorf("ask the container's systemd for %s: %s", unit, printable.Text(err.Error()))
	}
	// The container may answer what it likes; a terminal shows it.
	text := func(name string) string { s, _ := properties[name].(string); return printable.Text(s) }
	s := State{
		Load: text("LoadState"), Active: text("ActiveState"), Sub: text("SubState"),
		Result: text("Result"), Type: text("Type"),
	}
	s.Restarts, _ = properties["NRestarts"].(uint32)
	s.CanReload, _ = properties["CanReload"].(bool)
	met, _ := properties["ConditionResult"].(bool)
	checked, _ := properties["ConditionTimestampMonotonic"].(uint64)
	s.Skipped = checked > 0 && !met
	started, _ := properties["ExecMainStartTimestampMonotonic"].(uint64)
	s.Ran = started > 0
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return State{}, fmt.Errorf("read the clock: %w", err)
	}
	since, _ := properties["ActiveEnterTimestampMonotonic"].(uint64)
	s.ActiveFor = time.Duration(now.Nano()) - time.Duration(since)*time.Microsecond
	return s, nil
}

// Verdict reports whether the unit is up, or why it never will be; neither means that it may still come up.
func (s State) Verdict() (up bool, reason string) {
	switch {
	case s.Load != "loaded":
		return false, "is " + s.Load
	case s.isExecutedOnly() && s.ActiveFor < settleTime:
		return false, ""
	case s.Active == "active" || s.Active == "reloading":
		return true, ""
	case s.Active == "failed":
		return false, "failed (" + s.Result + ")"
	case s.Sub == "auto-restart" && s.Restarts >= maxRestarts:
		return false, fmt.Sprintf("failed and was restarted %d times (%s)", s.Restarts, s.Result)
	case s.Active == "inactive" && s.Type == "oneshot" && s.Ran && s.Result == "success":
		return true, ""
	case s.Active == "inactive" && s.Skipped:
		return false, "was skipped, since a condition of the unit is not met"
	case s.Active == "inactive" && s.Ran:
		return false, "ended (" + s.Result + ")"
	case s.Active == "inactive":
		// The boot is over when this is asked.
		return false, "was not started, since a unit that it requires failed"
	}
	return false, ""
}

// isExecutedOnly reports whether systemd counts a service as started because it was executed, whatever became of it.
func (s State) isExecutedOnly() bool {
	return s.Active == "active" && s.Sub == "running" && (s.Type == "simple" || s.Type == "exec")
}
