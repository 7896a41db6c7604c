// SPDX-License-Identifier: Apache-2.0

package unitend

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/monitor"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// TestOfKilled: a container whose monitor was killed goes on, unless it was to end anyway; then its unit is started
// again where systemd would have.
func TestOfKilled(t *testing.T) {
	for _, c := range []struct {
		name, restart, onFailure string
		generic, down, starting  bool
		phase                    places.Phase
		notes                    map[string]string
		want                     verdict
	}{
		{name: "up", want: verdict{keep: true, again: true}},
		{name: "not up yet", starting: true, phase: places.PhaseStarting},
		{name: "not up yet, with Restart=always", starting: true, phase: places.PhaseStarting, restart: "always",
			want: verdict{again: true}},
		{name: "not there yet, with Restart=on-abnormal", starting: true, phase: "none", down: true,
			restart: "on-abnormal", want: verdict{again: true}},
		{name: "not up yet, with Restart=on-success", starting: true, phase: places.PhaseStarting, restart: "on-success"},
		{name: "ended before, with Restart=always", phase: "none", down: true, restart: "always"},
		{name: "killed with it", down: true, want: verdict{again: true}},
		{name: "something else failed", notes: map[string]string{monitor.Degraded: "x.service"},
			want: verdict{keep: true, again: true}},
		{name: "failed", notes: map[string]string{monitor.Failed: "web.service"}},
		{name: "failed, to be restarted", onFailure: config.OnFailureRestart,
			notes: map[string]string{monitor.Failed: "web.service"}, want: verdict{again: true}},
		{name: "failed, with Restart=", restart: "on-failure", notes: map[string]string{monitor.Failed: "web.service"},
			want: verdict{again: true}},
		{name: "failed while it shut down", notes: map[string]string{monitor.Failed: "web.service", monitor.Told: "0"}},
		{name: "shuts down", notes: map[string]string{monitor.Told: "0"}},
		{name: "has shut down", down: true, notes: map[string]string{monitor.Told: "0"}},
		{name: "shuts down, with Restart=on-failure", restart: "on-failure", notes: map[string]string{monitor.Told: "0"}},
		{name: "shuts down, with Restart=on-success", restart: "on-success", notes: map[string]string{monitor.Told: "0"},
			want: verdict{again: true}},
		{name: "shuts down, with Restart=always", restart: "always", notes: map[string]string{monitor.Told: "0"},
			want: verdict{again: true}},
		{name: "reboots", notes: map[string]string{monitor.Told: "133"}, want: verdict{again: true}},
		{name: "ends badly", restart: "on-failure", notes: map[string]string{monitor.Told: "1"}, want: verdict{again: true}},
		{name: "command with 133", generic: true, notes: map[string]string{monitor.Told: "133"}},
		{name: "command that was terminated", generic: true, restart: "on-failure",
			notes: map[string]string{monitor.Told: "143"}},
		{name: "no status", notes: map[string]string{monitor.Told: "12x"}, want: verdict{keep: true, again: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := config.New("web")
			s.Units = []string{"web.service"}
			if c.generic {
				s.Units, s.Command = nil, []string{"/bin/true"}
			}
			if c.restart != "" {
				s.Restart = c.restart
			}
			if c.onFailure != "" {
				s.OnFailure = c.onFailure
			}
			if c.phase == "" {
				c.phase = places.PhaseReady
			}
			run := places.Root(t.TempDir()).Of("web").Run()
			if err := run.Make("init"); err != nil {
				t.Fatal(err)
			}
			if c.phase == "none" {
				c.phase = ""
			}
			if err := run.SetPhase(c.phase); err != nil {
				t.Fatal(err)
			}
			for name, text := range c.notes {
				if err := os.WriteFile(filepath.Join(run.Path(), name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := ofKilled(s, run, !c.down, c.starting); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestTooMany: monitors that are killed one after the other come to an end, also where a clock was set, or a file has
// nonsense; those of yesterday do not count.
func TestTooMany(t *testing.T) {
	run := places.Root(t.TempDir()).Of("web").Run()
	if err := run.Make("init"); err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1e9, 0)
	note := func(want bool) {
		t.Helper()
		n, err := noteLoss(run, now)
		if err != nil || (n > maxLosses) != want {
			t.Errorf("%d losses: too many is %t, %v", n, !want, err)
		}
	}
	for range maxLosses {
		note(false)
		now = now.Add(time.Second)
	}
	note(true)
	now = now.Add(lossPeriod + time.Second)
	note(false)
	now = now.Add(-24 * time.Hour)
	note(false)
	if err := os.WriteFile(filepath.Join(run.Path(), lossesFile), []byte("1 x\n\n-7 "), 0o600); err != nil {
		t.Fatal(err)
	}
	note(false)
}

// TestAsked reads what systemd says of the main process of a unit.
func TestAsked(t *testing.T) {
	for _, c := range []struct {
		result, code, status, pid string
		want                      asked
	}{
		{want: asked{}},
		{result: "success", code: "exited", want: asked{inUnit: true}},
		{result: "signal", code: "killed", status: "KILL", want: asked{inUnit: true, killed: true}},
		{result: "signal", code: "killed", status: "PIPE", want: asked{inUnit: true, killed: true}},
		{result: "success", code: "killed", status: "TERM", want: asked{inUnit: true}},
		{result: "success", code: "killed", status: "HUP", want: asked{inUnit: true}},
		{result: "core-dump", code: "dumped", want: asked{inUnit: true, killed: true}},
		{result: "signal", code: "killed", pid: "7", want: asked{inUnit: true}},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			t.Setenv("SERVICE_RESULT", c.result)
			t.Setenv("EXIT_CODE", c.code)
			t.Setenv("EXIT_STATUS", c.status)
			t.Setenv("MAINPID", c.pid)
			if got := question(); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
