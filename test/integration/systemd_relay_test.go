// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

const relaying = "apache2@t-relay.service"

// relayedTo returns what the host's journal has of a unit of a container, as words of the container's unit.
func relayedTo(t *testing.T, unit, matches string) string {
	t.Helper()
	return shell(t, "journalctl --sync; journalctl -q --no-pager -u "+unit+" "+matches)
}

// say has a process of Apache's unit inside say something, with the priority of an error.
func say(t *testing.T, words string) {
	t.Helper()
	inside(t, "t-relay", `for d in /sys/fs/cgroup/system.slice /sys/fs/cgroup/*/system.slice; do
test -d $d/apache2.service && echo $$ >$d/apache2.service/cgroup.procs; done 2>/dev/null
systemd-cat -t web -p err sh -c 'printf "`+words+`\n"; sleep 0.2'; journalctl --sync`)
}

// The host's journal has what the units of a container say, each word once, through the death of the process that
// watches it and the end of the container, and nothing of the noise of a boot or of others inside.
func TestSystemdRelay(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	before := snapshot(t)
	create(t, "t-relay", "-C", "-u", "apache2")
	systemctl(t, "start", relaying)
	comes := func(matches, want string) {
		t.Helper()
		wait(t, want+" in the host's journal", func() bool { return strings.Contains(relayedTo(t, relaying, matches), want) })
	}
	comes("SANDBOX_UNIT=apache2.service", "Started apache2.service")
	inside(t, "t-relay", "logger -t other words of another")
	say(t, `red \\033[31m words`)
	comes("-o export SYSLOG_IDENTIFIER=web", "MESSAGE=red ?[31m words\n")
	fields := relayedTo(t, relaying, "-o export SYSLOG_IDENTIFIER=web")
	for _, want := range []string{
		"PRIORITY=3", "SANDBOX=t-relay", "SANDBOX_UNIT=apache2.service", "_SYSTEMD_UNIT=" + relaying,
	} {
		if !strings.Contains(fields, want+"\n") {
			t.Errorf("without %s:\n%s", want, fields)
		}
	}
	watcher := property(t, relaying, "MainPID")
	shell(t, "grep -q 'NoNewPrivs:.1' /proc/"+watcher+"/status && kill -9 "+watcher)
	wait(t, "another watcher", func() bool { p := property(t, relaying, "MainPID"); return p != watcher && p != "0" })
	becomes(t, relaying, "active")
	say(t, "second words")
	comes("SYSLOG_IDENTIFIER=web", "second words")
	say(t, "last words")
	systemctl(t, "restart", relaying)
	comes("SANDBOX_UNIT=apache2.service -b -n 3", "Started apache2.service")
	all := relayedTo(t, relaying, "-o cat")
	for text, want := range map[string]int{
		"[31m words": 1, "second words": 1, "last words": 1, "Stopped apache2.service": 1, "Started apache2.service": 2,
		"words of another": 0, "Detected virtualization": 0, "running in system mode": 0, "Failed to create symlink": 0,
	} {
		if got := strings.Count(all, text); got != want {
			t.Errorf("%q is there %d times, want %d:\n%s", text, got, want, all)
		}
	}
	inside(t, "t-relay", "rm -r /var/log/journal/*; mkfifo /var/log/journal/$(cat /etc/machine-id)")
	begun := time.Now()
	systemctl(t, "stop", relaying)
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("with a pipe for a journal the stop took %v", took)
	}
	must(t, "delete", "t-relay")
	sameAs(t, before, "after delete")
}
