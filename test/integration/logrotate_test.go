// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// dueLog fills a log inside that was rotated long ago.
func dueLog(t *testing.T, name string) {
	t.Helper()
	inside(t, name, "mkdir -p /var/lib/logrotate && printf 'logrotate state -- version "+
		"2\n\"/var/log/apache2/access.log\" 2020-1-1-0:0:0\n' >/var/lib/logrotate/status && "+
		"echo a line of "+name+" >>/var/log/apache2/access.log && rm -f /var/log/apache2/access.log.1")
}

func isRotated(t *testing.T, name string) bool {
	t.Helper()
	return strings.Contains(inside(t, name, "cat /var/log/apache2/access.log.1 2>/dev/null; true"), "a line of "+name)
}

// Logs are rotated inside, by the host's configuration of the packages and with state of the container's own; one
// container that fails does not stop the others.
func TestLogrotate(t *testing.T) {
	rig.On(t, rig.Native, rig.Host)
	// Another package of the host, whose logs the containers do not have.
	const other = "/etc/logrotate.d/t-other"
	t.Cleanup(func() { _ = os.Remove(other) })
	if err := os.WriteFile(other, []byte("/var/log/t-other/log {\n\tweekly\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"t-log1", "t-log2", "t-log3"} {
		create(t, name, "-C", "-u", "apache2")
	}
	must(t, "start", "t-log1")
	must(t, "start", "t-log3")
	dueLog(t, "t-log1")
	dueLog(t, "t-log3")
	host := shell(t, "ls -lR /var/log/apache2 /var/lib/logrotate; cat /var/lib/logrotate/* 2>/dev/null; true")
	inside(t, "t-log1", "mv /var/lib/logrotate /var/lib/logrotate.kept && touch /var/lib/logrotate")
	o := run(t, "logrotate")
	if o.status != 1 || o.stdout != "t-log3: logs rotated\n" ||
		!strings.Contains(o.stderr, "rotate logs of t-log1: exit status") {
		t.Errorf("with one that fails: %+v", o)
	}
	if isRotated(t, "t-log1") || !isRotated(t, "t-log3") {
		t.Error("the wrong one was rotated")
	}
	inside(t, "t-log1", "rm /var/lib/logrotate && mv /var/lib/logrotate.kept /var/lib/logrotate")
	if got := must(t, "logrotate", "t-log1"); got != "t-log1: logs rotated\n" || !isRotated(t, "t-log1") {
		t.Errorf("one that is named: %s", got)
	}
	// Images of machines without an init have a policy-rc.d that keeps the configuration from reloading the service.
	if _, err := os.Stat("/usr/sbin/policy-rc.d"); err != nil {
		wait(t, "Apache, which the configuration reloads, to open its new log", func() bool {
			return strings.Contains(inside(t, "t-log1", "curl -so /dev/null localhost; cat /var/log/apache2/access.log"), "curl")
		})
	}
	if o := run(t, "logrotate", "t-log2", "t-log3"); o.status != 1 ||
		!strings.Contains(o.stderr, "t-log2 is not running") || o.stdout != "t-log3: logs rotated\n" {
		t.Errorf("one that is down: %+v", o)
	}
	inside(t, "t-log3", `printf 'logrotate state -- version 2\n"/var/log/\033]0;title\007" 1-1-1-0:0:0\n' \
		>/var/lib/logrotate/status`)
	o = run(t, "logrotate", "t-log3")
	if !strings.Contains(o.stderr, "?]0;title?") || strings.Contains(o.stderr, "\x1b") {
		t.Errorf("a name with an escape sequence: %+v", o)
	}
	if after := shell(t, "ls -lR /var/log/apache2 /var/lib/logrotate; cat /var/lib/logrotate/* "+
		"2>/dev/null; true"); after != host {
		t.Errorf("the host's logs changed:\n%s\nwas\n%s", after, host)
	}
	shell(t, "mv /etc/logrotate.conf /etc/logrotate.conf.kept")
	defer shell(t, "mv /etc/logrotate.conf.kept /etc/logrotate.conf")
	// Containers have a copy of what the host had when they started.
	for _, name := range []string{"t-log1", "t-log3"} {
		must(t, "stop", name)
		must(t, "start", name)
	}
	if o := run(t, "logrotate"); o.status != 0 || strings.Count(o.stdout, "skipped") != 2 {
		t.Errorf("without configuration: %+v", o)
	}
}

// The timer that is shipped does it where it is enabled.
func TestSystemdLogrotate(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	create(t, "t-log1", "-C", "-u", "apache2")
	must(t, "start", "t-log1")
	dueLog(t, "t-log1")
	systemctl(t, "enable", "--now", "virt-sandbox-logrotate.timer")
	t.Cleanup(func() { systemctl(t, "disable", "--now", "virt-sandbox-logrotate.timer") })
	if got := property(t, "virt-sandbox-logrotate.timer", "NextElapseUSecRealtime"); !strings.Contains(got, ":") {
		t.Errorf("the timer elapses next at %q", got)
	}
	systemctl(t, "start", "virt-sandbox-logrotate.service")
	if !isRotated(t, "t-log1") {
		t.Errorf("the log is not rotated:\n%s", status(t, "virt-sandbox-logrotate.service"))
	}
	inside(t, "t-log1", "rm -r /var/lib/logrotate && touch /var/lib/logrotate")
	if o := runCommand(t, exec.Command("systemctl", "start", "virt-sandbox-logrotate.service")); o.status == 0 {
		t.Error("a failure does not show")
	}
	systemctl(t, "reset-failed", "virt-sandbox-logrotate.service")
}
