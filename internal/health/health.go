// SPDX-License-Identifier: Apache-2.0

// Package health decides whether a sandbox is well, by the outcomes of its check. In: outcomes, one after the other;
// out: what they mean together. It runs nothing. The config has the check, the program inside runs it, and the host's
// side shows what it says.
package health

import (
	"encoding/json"
	"time"
)

// Check is how a sandbox is checked.
type Check struct {
	Command     string        `json:"command"` // for the shell; empty for none
	Interval    time.Duration `json:"interval"`
	StartPeriod time.Duration `json:"start_period,omitempty"` // in which failures do not count
	Retries     uint32        `json:"retries"`                // failures in a row that count
	Ready       bool          `json:"ready,omitempty"`        // the start waits for the first success
}

// Usual is a check of which only the command is not said.
func Usual() Check { return Check{Interval: 30 * time.Second, Retries: 3} }

// The verdicts.
const (
	Starting  = "starting" // neither is known yet
	Healthy   = "healthy"
	Unhealthy = "unhealthy"
)

// IsVerdict reports whether a text is one of the verdicts.
func IsVerdict(text string) bool { return text == Starting || text == Healthy || text == Unhealthy }

// State is what was found out until now.
type State struct {
	Verdict  string    `json:"verdict"`
	Failures uint32    `json:"failures"` // in a row
	Since    time.Time `json:"since"`    // of the first check
}

// ReadState makes a state of what Text returned; a new one of anything else.
func ReadState(text []byte) State {
	var s State
	if json.Unmarshal(text, &s) != nil || !IsVerdict(s.Verdict) {
		return State{Verdict: Starting}
	}
	return s
}

// Text returns the state for a file.
func (s State) Text() []byte {
	text, _ := json.Marshal(s) // It has nothing that could not be written.
	return text
}

// After returns the state after one more outcome.
func (c Check) After(s State, well bool, now time.Time) State {
	if s.Since.IsZero() || s.Since.After(now) {
		s.Since = now
	}
	switch {
	case well:
		s.Verdict, s.Failures = Healthy, 0
	case s.Verdict == Starting && now.Sub(s.Since) < c.StartPeriod:
	default:
		if s.Failures++; s.Failures >= c.Retries {
			s.Verdict = Unhealthy
		}
	}
	return s
}
