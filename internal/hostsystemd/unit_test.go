// SPDX-License-Identifier: Apache-2.0

package hostsystemd

import (
	"errors"
	"testing"
	"time"
)

func TestStart(t *testing.T) {
	foreign := unitProperties("active")
	foreign["SourcePath"] = ""
	tests := []struct {
		name   string
		bus    *fakeBus
		active bool
		err    string
		calls  []string
	}{
		{"down", &fakeBus{properties: unitProperties("inactive")}, false, "", []string{"start web_sandbox.service replace"}},
		{"up", &fakeBus{properties: unitProperties("active")}, true, "", nil},
		{"known after a reload", &fakeBus{afterLoad: unitProperties("inactive")}, false, "",
			[]string{"reload", "start web_sandbox.service replace"}},
		{"a distribution's of the name", &fakeBus{properties: foreign}, false, "web_sandbox.service: " + errNoUnit.Error(),
			[]string{"reload"}},
		{"the job fails", &fakeBus{properties: unitProperties("inactive"), result: "failed"}, false,
			"web_sandbox.service: the job ended with \"failed\"; its journal says:\nfirst line of abcd\nlast ?line",
			[]string{"start web_sandbox.service replace"}},
		{"another job comes", &fakeBus{properties: unitProperties("inactive"), result: "canceled"}, false,
			"web_sandbox.service: another command has asked systemd for something else meanwhile",
			[]string{"start web_sandbox.service replace"}},
		{"no job", &fakeBus{properties: unitProperties("inactive"), failure: errors.New("refused")}, false,
			"web_sandbox.service: refused", []string{"start web_sandbox.service replace"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			active, err := newClient(test.bus).Start(t.Context(), Unit{unitName, source})
			if active != test.active {
				t.Errorf("active before: %v", active)
			}
			checkError(t, err, test.err)
			checkCalls(t, test.bus, test.calls...)
		})
	}
}

func TestRestart(t *testing.T) {
	restart := []string{"restart web_sandbox.service replace"}
	for _, test := range []struct {
		name   string
		bus    *fakeBus
		active bool
		err    string
		calls  []string
	}{
		{"down", &fakeBus{properties: unitProperties("inactive")}, false, "", nil},
		{"coming up", &fakeBus{properties: unitProperties("activating")}, false, "", nil},
		{"unknown", &fakeBus{}, false, "", nil},
		{"up", &fakeBus{properties: unitProperties("active")}, true, "", restart},
		{"the job fails", &fakeBus{properties: unitProperties("active"), result: "failed"}, true,
			"web_sandbox.service: the job ended with \"failed\"; its journal says:\nfirst line of abcd\nlast ?line", restart},
		{"no job", &fakeBus{properties: unitProperties("active"), failure: errors.New("refused")}, true,
			"web_sandbox.service: refused", restart},
	} {
		t.Run(test.name, func(t *testing.T) {
			active, err := newClient(test.bus).Restart(t.Context(), Unit{unitName, source})
			if active != test.active {
				t.Errorf("active before: %v", active)
			}
			checkError(t, err, test.err)
			checkCalls(t, test.bus, test.calls...)
		})
	}
}

func TestStop(t *testing.T) {
	stop := []string{"stop web_sandbox.service replace"}
	tests := []struct {
		name  string
		bus   *fakeBus
		err   string
		calls []string
	}{
		{"up", &fakeBus{properties: unitProperties("active")}, "", stop},
		{"unknown", &fakeBus{}, "", nil},
		{"gone meanwhile", &fakeBus{properties: unitProperties("active"), failure: noSuchUnit()}, "", stop},
		{"no job", &fakeBus{properties: unitProperties("active"), failure: errors.New("refused")}, "web_sandbox.service: " +
			"refused", stop},
		{"the job fails", &fakeBus{properties: unitProperties("active"), result: "timeout"},
			"web_sandbox.service: the job ended with \"timeout\"; its journal says:\nfirst line of abcd\nlast ?line", stop},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			checkError(t, newClient(test.bus).Stop(t.Context(), Unit{unitName, source}), test.err)
			checkCalls(t, test.bus, test.calls...)
		})
	}
}

// TestRunsAnother: an instance of the distribution's template is not the unit of a sandbox, whatever its name.
func TestRunsAnother(t *testing.T) {
	for _, c := range []struct {
		active, source string
		want           bool
	}{
		{"active", "", true}, {"activating", "/etc/init.d/web", true}, {"active", source, false}, {"inactive", "", false},
		{"failed", "", false},
	} {
		b := &fakeBus{properties: unitProperties(c.active)}
		b.properties["SourcePath"] = c.source
		if got, err := newClient(b).RunsAnother(t.Context(), Unit{unitName, source}); err != nil || got != c.want {
			t.Errorf("%s of %q: %v, %v", c.active, c.source, got, err)
		}
	}
	if got, err := newClient(&fakeBus{}).RunsAnother(t.Context(), Unit{"other.service", source}); err != nil || got {
		t.Errorf("a unit that is not loaded: %v, %v", got, err)
	}
}

func TestStatus(t *testing.T) {
	down := time.Unix(1_700_000_000, 0).UTC()
	tests := []struct {
		name   string
		active string
		want   *Status
	}{
		{"unknown", "", nil},
		{"down", "inactive", &Status{InactiveSince: down}},
		{"failed", "failed", &Status{InactiveSince: down, Failed: true, Result: "exit-code", LastLine: "last ?line"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := &fakeBus{}
			if test.active != "" {
				b.properties = unitProperties(test.active)
			}
			got, err := newClient(b).Status(t.Context(), Unit{unitName, source})
			if err != nil {
				t.Fatal(err)
			}
			if (got == nil) != (test.want == nil) || got != nil && *got != *test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestForget(t *testing.T) {
	b := &fakeBus{}
	c := newClient(b)
	if err := c.Forget(t.Context(), unitName); err != nil {
		t.Error(err)
	}
	checkCalls(t, b, "reset web_sandbox.service", "reload")
	c.booted = func() bool { return false }
	if err := c.Forget(t.Context(), unitName); err != nil {
		t.Error(err)
	}
	checkCalls(t, b, "reset web_sandbox.service", "reload")
}

func TestRunForking(t *testing.T) {
	service := Service{Unit: unitName, Args: []string{"true"}, Before: "other.service"}
	run := "run web_sandbox.service replace Description,ExecStart,Type,Before"
	b := &fakeBus{}
	checkError(t, newClient(b).RunForking(t.Context(), service), "")
	checkCalls(t, b, "reset web_sandbox.service", run)
	b = &fakeBus{result: "failed", properties: unitProperties("failed")}
	checkError(t, newClient(b).RunForking(t.Context(), service), "web_sandbox.service: first line of abcd\nlast ?line")
	checkCalls(t, b, "reset web_sandbox.service", run, "reset web_sandbox.service")
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("got error %q, want %q", got, want)
	}
}
