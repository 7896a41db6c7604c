// SPDX-License-Identifier: Apache-2.0

package innersystemd

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestVerdict(t *testing.T) {
	const up, pending = "up", "pending"
	tests := []struct {
		name  string
		state State
		want  string // up, pending, or why it never will be up
	}{
		{"unknown", State{Load: "not-found", Active: "inactive"}, "is not-found"},
		{"masked", State{Load: "masked", Active: "inactive"}, "is masked"},
		{"starting", State{Active: "activating", Sub: "start"}, pending},
		{"of type notify", State{Active: "active", Sub: "running", Type: "notify"}, up},
		{
			"of type simple, just begun",
			State{Active: "active", Sub: "running", Type: "simple", ActiveFor: settleTime - 1},
			pending,
		},
		{"of type simple, for a while", State{Active: "active", Sub: "running", Type: "simple", ActiveFor: settleTime}, up},
		{"of type exec, just begun", State{Active: "active", Sub: "running", Type: "exec"}, pending},
		{"a socket", State{Active: "active", Sub: "listening"}, up},
		{"reloading", State{Active: "reloading", Sub: "reload", Type: "notify"}, up},
		{"failed", State{Active: "failed", Sub: "failed", Result: "exit-code"}, "failed (exit-code)"},
		{"restarting", State{Active: "activating", Sub: "auto-restart", Restarts: maxRestarts - 1}, pending},
		{"restarting for ever", State{Active: "activating", Sub: "auto-restart", Restarts: maxRestarts, Result: "signal"},
			"failed and was restarted 3 times (signal)"},
		{"oneshot that has run", State{Active: "inactive", Type: "oneshot", Ran: true, Result: "success"}, up},
		{"oneshot that failed", State{Active: "inactive", Type: "oneshot", Ran: true, Result: "exit-code"},
			"ended (exit-code)"},
		{"condition not met", State{Active: "inactive", Skipped: true}, "was skipped, since a condition of the unit is not " +
			"met"},
		{"known condition not met", State{Active: "inactive", Skipped: true, Condition: "ConditionPathExists=/x"},
			"was skipped, since ConditionPathExists=/x is not met"},
		{"ended", State{Active: "inactive", Type: "simple", Ran: true, Result: "success"}, up},
		{"ended badly", State{Active: "inactive", Type: "simple", Ran: true, Result: "exit-code"}, "ended (exit-code)"},
		{"assertion not met", State{Active: "inactive", Unmet: true}, "was not started, since an assertion of the unit is " +
			"not met"},
		{"never begun", State{Active: "inactive"}, "was not started, since a unit that it requires failed"},
		{"stopping", State{Active: "deactivating", Sub: "stop-sigterm"}, pending},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.state.Load == "" {
				test.state.Load = "loaded"
			}
			isUp, reason := test.state.Verdict()
			got := reason
			switch {
			case isUp && reason == "":
				got = up
			case !isUp && reason == "":
				got = pending
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestUnit: what a container answers may have any type and any text.
func TestUnit(t *testing.T) {
	c := (&fakeBus{units: map[string]map[string]any{"web.service": {
		"LoadState": "loaded", "ActiveState": "active\x1b[31m", "SubState": 7, "Result": "success", "Type": "notify",
		"NRestarts": uint32(2), "CanReload": true, "ConditionTimestampMonotonic": uint64(1), "ConditionResult": false,
		"ExecMainStartTimestampMonotonic": "long ago", "ActiveEnterTimestampMonotonic": uint64(1),
	}}}).client(t)
	got, err := c.Unit(t.Context(), "web.service")
	if err != nil {
		t.Fatal(err)
	}
	if got.ActiveFor < time.Second {
		t.Errorf("active for %v", got.ActiveFor)
	}
	got.ActiveFor = 0
	want := State{
		Load:      "loaded",
		Active:    "active?[31m",
		Result:    "success",
		Type:      "notify",
		Restarts:  2,
		Skipped:   true,
		CanReload: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	_, err = c.Unit(t.Context(), "absent.service")
	if err == nil || !strings.Contains(err.Error(), "absent.service: no ?unit") {
		t.Errorf("got error %v", err)
	}
}
