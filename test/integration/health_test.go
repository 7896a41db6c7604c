// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// A start waits until the sandbox says that it is well, which list and status tell then; three failures in a row end
// it. One that is paused stands still until it is resumed.
func TestHealth(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-health", "-C", "-u", "apache2")
	edit(t, "t-health", "restart=no", "restart=no\nhealth-cmd=cat /proc/self/attr/current; test -e /var/tmp/well\n"+
		"health-interval=1s\nhealth-ready=yes")
	well := contentDir + "/t-health/var/tmp/well"
	begun, made := time.Now(), make(chan time.Time, 1)
	go func() {
		for !strings.Contains(run(t, "list", "--state=starting", "-q").stdout, "t-health") {
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		if err := os.WriteFile(well, nil, 0o644); err != nil {
			t.Error(err)
		}
		made <- time.Now()
	}()
	must(t, "start", "t-health")
	if ready := <-made; time.Now().Before(ready) || time.Since(begun) < 3*time.Second {
		t.Errorf("it was ready after %v, before it was well", time.Since(begun))
	}
	wait(t, "health in the list", func() bool { return strings.Contains(must(t, "list"), "running (healthy)") })
	if d, _ := statusOf(t, "t-health", 0); d.Health != "healthy" || d.State != "running" {
		t.Errorf("%+v", d)
	}
	if text := must(t, "top", "--json"); !strings.Contains(text, `"name": "t-health"`) || strings.Contains(text, "null") {
		t.Errorf("top says %s", text)
	}
	must(t, "pause", "t-health")
	if d, _ := statusOf(t, "t-health", 0); !d.Halted {
		t.Errorf("paused: %+v", d)
	}
	if o := run(t, "execute", "t-health", "--", "true"); !strings.Contains(o.stderr, "t-health is paused; run resume") {
		t.Errorf("execute in one that is paused: %+v", o)
	}
	must(t, "check", "t-health")
	must(t, "resume", "t-health")
	inside(t, "t-health", "true")
	if err := os.Remove(well); err != nil {
		t.Fatal(err)
	}
	removed := time.Now()
	wait(t, "an end", func() bool { return !strings.Contains(must(t, "list", "--running", "-q"), "t-health") })
	t.Logf("it ended after %v", time.Since(removed))
	remove(t, "t-health")
}
