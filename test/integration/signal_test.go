// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// The verb kill signals the processes of one unit inside, or of all of the sandbox's, and tells what systemd refuses.
func TestSignal(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-signal", "-C", "-u", "apache2")
	if o := run(t, "kill", "t-signal"); o.status != 1 || !strings.Contains(o.stderr, "is not running") {
		t.Errorf("of one that is down: %+v", o)
	}
	must(t, "start", "t-signal")
	inside(t, "t-signal", `systemd-run -q --unit=t-trap sh -c 'trap "touch /run/t-trapped" HUP; touch /run/t-ready
while :; do sleep 0.1; done'`)
	there := func(file string) func() bool {
		return func() bool { return run(t, "execute", "t-signal", "--", "test", "-e", file).status == 0 }
	}
	wait(t, "a trap", there("/run/t-ready"))
	if got := must(t, "kill", "-s", "hup", "-u", "t-trap", "t-signal"); got != "" {
		t.Errorf("kill says %q", got)
	}
	wait(t, "the signal", there("/run/t-trapped"))
	must(t, "kill", "t-signal")
	wait(t, "the end of Apache", func() bool {
		return run(t, "execute", "t-signal", "--", "systemctl", "is-active", "apache2").stdout == "inactive\n"
	})
	if o := run(t, "kill", "-u", "nosuch", "t-signal"); o.status != 1 || !strings.Contains(o.stderr, "nosuch.service") {
		t.Errorf("of a unit that is not there: %+v", o)
	}
	if o := run(t, "kill", "-s", "NOSUCH", "t-signal"); o.status != 2 {
		t.Errorf("a signal that is none: %+v", o)
	}
	must(t, "stop", "t-signal")
}
