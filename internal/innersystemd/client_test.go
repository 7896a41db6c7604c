// SPDX-License-Identifier: Apache-2.0

package innersystemd

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

func TestWaitActive(t *testing.T) {
	unit := map[string]any{"LoadState": "loaded", "ActiveState": "activating", "SubState": "start"}
	looks := 0
	c := (&fakeBus{units: map[string]map[string]any{"web.service": unit}, asked: func(string) {
		if looks++; looks == 2 {
			unit["ActiveState"], unit["SubState"] = "active", "running"
		}
	}}).client(t)
	states, err := c.WaitActive(t.Context(), []string{"web.service"})
	if err != nil || !slices.Equal(states, []string{"web.service active (running)"}) || looks != 2 {
		t.Errorf("got %q, %v after %d looks", states, err, looks)
	}
}

func TestWaitActiveFails(t *testing.T) {
	c := (&fakeBus{units: map[string]map[string]any{
		"up.service":      {"LoadState": "loaded", "ActiveState": "active"},
		"failed.service":  {"LoadState": "loaded", "ActiveState": "failed", "Result": "signal"},
		"waiting.service": {"LoadState": "loaded", "ActiveState": "activating"},
	}}).client(t)
	for unit, want := range map[string]string{"failed.service": "failed (signal)", "waiting.service": "did not start in " +
		"time (activating)"} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := c.WaitActive(ctx, []string{"up.service", unit})
		var failure *UnitError
		if !errors.As(err, &failure) || failure.Unit != unit || failure.Reason != want {
			t.Errorf("%s: got %v, want %q", unit, err, want)
		}
	}
}

// TestWaitActiveOfParts: a unit that only stands for others is up when they are, and fails with one of them; one that
// nobody wanted may be down.
func TestWaitActiveOfParts(t *testing.T) {
	whole := func(parts ...string) map[string]any {
		return map[string]any{"LoadState": "loaded", "ActiveState": "active", "SubState": "exited", "Type": "oneshot",
			"ConsistsOf": parts}
	}
	late := map[string]any{"LoadState": "loaded", "ActiveState": "activating"}
	service := whole("bad.service")
	service["Type"] = "notify"
	c := (&fakeBus{units: map[string]map[string]any{
		"good.service": whole("late.service", "down.service", "gone.service"), "late.service": late,
		"down.service": {"LoadState": "loaded", "ActiveState": "inactive"}, "gone.service": {"LoadState": "not-found"},
		"whole.service": whole("late.service", "bad.service"), "no-whole.service": service,
		"bad.service": {"LoadState": "loaded", "ActiveState": "failed", "Result": "exit-code"},
	}, asked: func(unit string) {
		if unit == "late.service" {
			late["ActiveState"], late["SubState"] = "active", "running"
		}
	}}).client(t)
	states, err := c.WaitActive(t.Context(), []string{"good.service", "no-whole.service"})
	want := []string{"good.service active (exited)", "late.service active (running)", "no-whole.service active (exited)"}
	if err != nil || !slices.Equal(states, want) {
		t.Errorf("got %q, %v", states, err)
	}
	states = nil
	err = EachPart(t.Context(), c.Unit, []string{"good.service", "no-whole.service"}, func(unit string, state State) {
		states = append(states, state.words(unit))
	})
	if err != nil || len(states) != 4 || !slices.Equal(states[:2], want[:2]) {
		t.Errorf("got %q, %v", states, err)
	}
	_, err = c.WaitActive(t.Context(), []string{"whole.service"})
	var failure *UnitError
	if !errors.As(err, &failure) || failure.Unit != "bad.service" || failure.Reason != "failed (exit-code)" {
		t.Errorf("got %v", err)
	}
}

// TestWaitActiveBlames: a unit that was not started since one that it requires failed tells of that one.
func TestWaitActiveBlames(t *testing.T) {
	down := func(needs ...string) map[string]any {
		return map[string]any{"LoadState": "loaded", "ActiveState": "inactive", "Requires": needs}
	}
	bound := down()
	bound["BindsTo"] = []string{"failed.service"}
	c := (&fakeBus{units: map[string]map[string]any{
		"a.service": down("up.service", "b.service"), "b.service": bound, "loop.service": down("loop.service", "c.service"),
		"c.service": down("loop.service"), "gone.service": down("absent.service"),
		"up.service":     {"LoadState": "loaded", "ActiveState": "active"},
		"failed.service": {"LoadState": "loaded", "ActiveState": "failed", "Result": "exit-code"},
		"absent.service": {"LoadState": "not-found", "ActiveState": "inactive"},
	}}).client(t)
	for unit, want := range map[string]string{
		"a.service":    "failed.service inside failed (exit-code), without which a.service does not start",
		"loop.service": "loop.service inside was not started, since a unit that it requires failed",
		"gone.service": "absent.service inside is not-found, without which gone.service does not start",
	} {
		if _, err := c.WaitActive(t.Context(), []string{unit}); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %q", unit, err, want)
		}
	}
}

// TestUnmetConditions: a start that a condition or an assertion has failed names it.
func TestUnmetConditions(t *testing.T) {
	type tested struct {
		Kind             string
		Trigger, Negated bool
		Value            string
		Result           int32
	}
	all := []tested{
		{"ConditionHost", false, false, "a", 1}, {"ConditionPathExists", false, true, "/a\x1b", -1},
		{"ConditionUser", true, false, "b", -1}, {"ConditionUser", false, false, "c", 0},
	}
	unit := func(which string, conditions []tested) map[string]any {
		return map[string]any{"LoadState": "loaded", "ActiveState": "inactive", which + "Result": false,
			which + "TimestampMonotonic": uint64(1), which + "s": conditions}
	}
	c := (&fakeBus{units: map[string]map[string]any{
		"a.service": unit("Condition", all), "b.service": unit("Condition", all[2:]), "c.service": unit("Condition", nil),
		"d.service": unit("Assert", []tested{{"AssertPathExists", false, false, "/d", -1}}),
	}}).client(t)
	for unit, want := range map[string]string{
		"a.service": "was skipped, since ConditionPathExists=!/a? is not met",
		"b.service": "was skipped, since ConditionUser=|b is not met",
		"c.service": "was skipped, since a condition of the unit is not met",
		"d.service": "was not started, since AssertPathExists=/d is not met",
	} {
		if _, err := c.WaitActive(t.Context(), []string{unit}); err == nil || err.Error() != unit+" inside "+want {
			t.Errorf("%s: got %v, want %q", unit, err, want)
		}
	}
}

func TestFailedAndRunningJobs(t *testing.T) {
	c := (&fakeBus{failed: []string{"a\x1b.service"}, jobs: []dbus.JobStatus{
		{Unit: "b\x1b.service", Status: "running", JobPath: "/j", UnitPath: "/u"},
		{Unit: "c.service", Status: "waiting", JobPath: "/j", UnitPath: "/u"},
	}}).client(t)
	if got, err := c.Failed(t.Context()); err != nil || !slices.Equal(got, []string{"a?.service"}) {
		t.Errorf("failed: %q, %v", got, err)
	}
	if got, err := c.RunningJobs(t.Context()); err != nil || !slices.Equal(got, []string{"b?.service"}) {
		t.Errorf("jobs: %q, %v", got, err)
	}
	c = (&fakeBus{err: errors.New("de\x1bnied")}).client(t)
	if _, err := c.Failed(t.Context()); err == nil || err.Error() != "ask the container's systemd for failed units: "+
		"de?nied" {
		t.Errorf("failed: %v", err)
	}
	if _, err := c.RunningJobs(t.Context()); err == nil {
		t.Error("jobs that systemd does not tell of are none")
	}
}

func TestReload(t *testing.T) {
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	tests := []struct {
		name string
		ctx  context.Context
		bus  *fakeBus
		want string
	}{
		{"done", t.Context(), &fakeBus{result: "done"}, ""},
		{"failed", t.Context(), &fakeBus{result: "failed"}, "web.service inside was not reloaded (failed)"},
		{"refused", t.Context(), &fakeBus{err: errors.New("de\x1bnied")}, "reload web.service inside: de?nied"},
		{"for ever", ended, &fakeBus{}, "reload web.service inside: enough"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if err := test.bus.client(t).Reload(test.ctx, "web.service"); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestStart: a unit is started, and nobody waits for it.
func TestStart(t *testing.T) {
	b := &fakeBus{}
	err := b.client(t).Start(t.Context(), "x.service")
	if err != nil || !slices.Equal(b.started, []any{"x.service", "replace"}) {
		t.Errorf("started %q, %v", b.started, err)
	}
	b = &fakeBus{err: errors.New("de\x1bnied")}
	if err := b.client(t).Start(t.Context(), "x.service"); err == nil || err.Error() != "start x.service inside: de?nied" {
		t.Errorf("got %v", err)
	}
}
