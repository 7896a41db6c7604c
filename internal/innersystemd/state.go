// SPDX-License-Identifier: Apache-2.0

package innersystemd

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
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
	answer, err := c.bus.call(ctx, busName, unitPath(unit), "org.freedesktop.DBus.Properties", "GetAll", "a{sv}", "")
	if err != nil {
		return State{}, asking(" for "+unit, err)
	}
	p := readProperties(answer)
	if answer.failed {
		return State{}, asking(" for "+unit, errWire)
	}
	s := State{
		Load: p.words["LoadState"], Active: p.words["ActiveState"], Sub: p.words["SubState"],
		Result: p.words["Result"], Type: p.words["Type"],
		Restarts:  uint32(p.numbers["NRestarts"]),
		CanReload: p.flags["CanReload"],
		Skipped:   p.numbers["ConditionTimestampMonotonic"] > 0 && !p.flags["ConditionResult"],
		Ran:       p.numbers["ExecMainStartTimestampMonotonic"] > 0,
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return State{}, fmt.Errorf("read the clock: %w", err)
	}
	s.ActiveFor = time.Duration(now.Nano()) - time.Duration(p.numbers["ActiveEnterTimestampMonotonic"])*time.Microsecond
	return s, nil
}

// properties are those of a unit that somebody asks for, by their types.
type properties struct {
	words   map[string]string
	numbers map[string]uint64
	flags   map[string]bool
}

// wanted are the names of the properties that State is made of.
var wanted = map[string]bool{
	"LoadState": true, "ActiveState": true, "SubState": true, "Result": true, "Type": true, "NRestarts": true,
	"CanReload": true, "ConditionResult": true, "ConditionTimestampMonotonic": true,
	"ExecMainStartTimestampMonotonic": true, "ActiveEnterTimestampMonotonic": true,
}

// readProperties reads names and values. One of another type than systemd gives it is as if it were not there.
func readProperties(answer *wire) properties {
	p := properties{map[string]string{}, map[string]uint64{}, map[string]bool{}}
	for end := answer.array(8); answer.in(end); {
		answer.align(8)
		name := answer.text()
		value := answer.variant()
		if !wanted[name] {
			continue
		}
		switch value := value.(type) {
		case string:
			p.words[name] = word(value)
		case uint32:
			p.numbers[name] = uint64(value)
		case uint64:
			p.numbers[name] = value
		case bool:
			p.flags[name] = value
		}
	}
	return p
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
