// SPDX-License-Identifier: Apache-2.0

package innersystemd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
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

// WaitActive waits until each unit is active and returns their states, in words. Errors: *UnitError for one that
// failed or was not active when ctx ended.
func (c *Client) WaitActive(ctx context.Context, units []string) (states []string, err error) {
	for _, unit := range units {
		state, err := c.waitFor(ctx, unit, State.Verdict)
		if err != nil {
			return nil, c.blame(ctx, unit, state, err)
		}
		states = append(states, state.words(unit))
		for _, part := range state.Parts {
			state, err := c.waitFor(ctx, part, State.partVerdict)
			if err != nil {
				return nil, err
			}
			if state.Active == "active" {
				states = append(states, state.words(part))
			}
		}
	}
	return states, nil
}

// waitFor waits until a verdict on a unit is there.
func (c *Client) waitFor(ctx context.Context, unit string, verdict func(State) (bool, string)) (State, error) {
	for {
		state, err := c.Unit(ctx, unit)
		if err != nil {
			return state, err
		}
		up, reason := verdict(state)
		if reason != "" {
			return state, &UnitError{Unit: unit, Reason: reason}
		}
		if up {
			return state, nil
		}
		select {
		case <-ctx.Done():
			return state, &UnitError{Unit: unit, Reason: "did not start in time (" + state.Active + ")"}
		case <-time.After(pollInterval):
		}
	}
}

// maxParts bounds how many units are asked for because they are part of another.
const maxParts = 100

// words says how a unit is.
func (s State) words(unit string) string { return fmt.Sprintf("%s %s (%s)", unit, s.Active, s.Sub) }

// EachPart calls f for each unit, and for those of its parts that are not down. ask is Client.Unit.
func EachPart(
	ctx context.Context, ask func(ctx context.Context, unit string) (State, error), units []string,
	f func(unit string, state State),
) error {
	for _, unit := range units {
		state, err := ask(ctx, unit)
		if err != nil {
			return err
		}
		f(unit, state)
		for _, part := range state.Parts {
			state, err := ask(ctx, part)
			if err != nil {
				return err
			}
			if state.Active != "inactive" {
				f(part, state)
			}
		}
	}
	return nil
}

// State is what systemd says of a unit (org.freedesktop.systemd1(5)).
type State struct {
	Load, Active, Sub, Result string

	Type      string // of a service (systemd.service(5), Type=)
	Restarts  uint32 // automatic ones
	Skipped   bool   // by a condition
	Unmet     bool   // an assertion
	Condition string // that, or assertion, as a unit file has it; "" where it is not known
	Ran       bool   // its main process was started at least once
	CanReload bool
	ActiveFor time.Duration

	// Parts are the units that say that they are part of it (systemd.unit(5), PartOf=), for one that does nothing itself
	// but stand for others, as postgresql.service does.
	Parts []string
	// Needs are the units that it does not start without (systemd.unit(5), Requires=).
	Needs []string
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
		Unmet:     p.numbers["AssertTimestampMonotonic"] > 0 && !p.flags["AssertResult"],
		Ran:       p.numbers["ExecMainStartTimestampMonotonic"] > 0,
	}
	if s.Type == "oneshot" || strings.HasSuffix(unit, ".target") {
		s.Parts = p.lists["ConsistsOf"]
	}
	if s.Skipped {
		s.Condition = p.words["Conditions"]
	} else if s.Unmet {
		s.Condition = p.words["Asserts"]
	}
	for _, directive := range needing {
		s.Needs = append(s.Needs, p.lists[directive]...)
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
	lists   map[string][]string
}

// needing are the properties that have what a unit does not start without.
var needing = []string{"Requires", "BindsTo", "Requisite"}

// wanted are the names of the properties that State is made of.
var wanted = map[string]bool{
	"LoadState": true, "ActiveState": true, "SubState": true, "Result": true, "Type": true, "NRestarts": true,
	"CanReload": true, "ConditionResult": true, "ConditionTimestampMonotonic": true,
	"ExecMainStartTimestampMonotonic": true, "ActiveEnterTimestampMonotonic": true,
	"AssertResult": true, "AssertTimestampMonotonic": true, "ConsistsOf": true,
	"Conditions": true, "Asserts": true, "Requires": true, "BindsTo": true, "Requisite": true,
}

// readProperties reads names and values. One of another type than systemd gives it is as if it were not there.
func readProperties(answer *wire) properties {
	p := properties{words: map[string]string{}, numbers: map[string]uint64{}, flags: map[string]bool{},
		lists: map[string][]string{}}
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
		case condition:
			p.words[name] = word(string(value))
		case uint32:
			p.numbers[name] = uint64(value)
		case uint64:
			p.numbers[name] = value
		case bool:
			p.flags[name] = value
		case []string:
			for _, part := range value[:min(len(value), maxParts)] {
				p.lists[name] = append(p.lists[name], word(part))
			}
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
	case s.Active == "inactive" && s.Ran && s.Result == "success":
		// A job that has done its work.
		return true, ""
	case s.Active == "inactive" && s.Skipped:
		return false, "was skipped, since " + cmp.Or(s.Condition, "a condition of the unit") + " is not met"
	case s.Active == "inactive" && s.Unmet:
		return false, "was not started, since " + cmp.Or(s.Condition, "an assertion of the unit") + " is not met"
	case s.Active == "inactive" && s.Ran:
		return false, "ended (" + s.Result + ")"
	case s.neverBegun():
		// The boot is over when this is asked.
		return false, "was not started, since a unit that it requires failed"
	}
	return false, ""
}

// neverBegun reports whether a unit was not started, and nothing of its own kept it from that.
func (s State) neverBegun() bool {
	return s.Load == "loaded" && s.Active == "inactive" && !s.Ran && !s.Skipped && !s.Unmet
}

// maxNeeds bounds how many units are asked for because another was not started.
const maxNeeds = 30

// blame returns the error of a unit that did not come up, of the one that it requires where that failed.
func (c *Client) blame(ctx context.Context, unit string, state State, failure error) error {
	var own *UnitError
	if !errors.As(failure, &own) || !state.neverBegun() {
		return failure
	}
	asked := map[string]bool{unit: true}
	for next := state.Needs; len(next) > 0 && len(asked) < maxNeeds; next = next[1:] {
		if asked[next[0]] {
			continue
		}
		asked[next[0]] = true
		needed, err := c.Unit(ctx, next[0])
		if err != nil {
			return failure
		}
		if needed.neverBegun() {
			next = append(next, needed.Needs...)
			continue
		}
		if up, reason := needed.Verdict(); !up && reason != "" && !needed.Skipped {
			return &UnitError{Unit: next[0], Reason: reason + ", without which " + unit + " does not start"}
		}
	}
	return failure
}

// partVerdict is Verdict on a unit that is part of another. One that is down need not be up: nobody may have wanted
// it.
func (s State) partVerdict() (up bool, reason string) {
	if s.Load != "loaded" || s.Active == "inactive" {
		return true, ""
	}
	return s.Verdict()
}

// isExecutedOnly reports whether systemd counts a service as started because it was executed, whatever became of it.
func (s State) isExecutedOnly() bool {
	return s.Active == "active" && s.Sub == "running" && (s.Type == "simple" || s.Type == "exec")
}
