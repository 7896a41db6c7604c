// SPDX-License-Identifier: Apache-2.0

package healthcheck

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/health"
)

// TestRun: each check tells what it found, and one that makes the sandbox unhealthy tells why; a start waits until the
// command succeeds.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	var told []string
	r := runner{
		check: health.Check{Command: "test -e " + dir + "/well", Interval: 2 * time.Second, Retries: 2},
		file:  dir + "/state",
		tell:  func(message string) error { told = append(told, message); return nil },
	}
	check := func(want ...string) {
		t.Helper()
		told = nil
		for range want {
			if err := r.once(); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	}
	failed := "X_HEALTH=unhealthy\nX_FAILED=virt-sandbox-health.service health-cmd failed 2 times: exit status 1"
	check("X_HEALTH=starting", failed)
	go func() {
		time.Sleep(100 * time.Millisecond)
		_ = os.WriteFile(dir+"/well", nil, 0o600)
	}()
	told = nil
	if err := r.untilWell(); err != nil || !slices.Equal(told, []string{"X_HEALTH=healthy"}) {
		t.Errorf("told %q, %v", told, err)
	}
	check("X_HEALTH=healthy")
	r.check.Command, r.check.Interval = "sleep 60", 50*time.Millisecond
	check("X_HEALTH=healthy",
		"X_HEALTH=unhealthy\nX_FAILED=virt-sandbox-health.service health-cmd failed 2 times: no answer within 50ms")
}

// TestRunEndsAll: a check that takes too long ends with all that it started.
func TestRunEndsAll(t *testing.T) {
	file := t.TempDir() + "/pid"
	r := runner{check: health.Check{
		Command: "sleep 60 >/dev/null 2>&1 & echo $! >" + file + "; wait", Interval: time.Second,
	}}
	if err := r.command(); err == nil || err.Error() != "no answer within 1s" {
		t.Errorf("the check: %v", err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	proc := "/proc/" + strings.TrimSpace(string(text)) + "/cmdline"
	for range 50 {
		// It may stay as a zombie, which has no command line.
		if line, err := os.ReadFile(proc); err != nil || len(line) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("%s is there still", proc)
}
