// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// Small inputs of administrators, each of which failed once.

// handMade writes a unit of the administrator's and creates a container of it.
func handMade(t *testing.T, text string, options ...string) (said string) {
	t.Helper()
	const unit = "/etc/systemd/system/t-made.service"
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		remove(t, "t-made")
		os.Remove(unit)
	})
	o := run(t, append(append([]string{"create", "-P", "hostname", "-u", "t-made"}, options...), "t-made")...)
	if o.status != 0 {
		t.Fatalf("create: %+v", o)
	}
	return o.stderr
}

// A signal that the caller ignores the command ignores too, and so does the program.
func TestIgnoredSignals(t *testing.T) {
	rig.On(t, rig.Native)
	for name, script := range map[string]string{
		"HUP to the program": "nohup virt-sandbox sh -c 'echo up >&2; sleep 3; echo survived' 2>$D/up >$D/out & pid=$!; " +
			"until grep -q up $D/up; do sleep .1; done; kill -HUP $pid; wait $pid && cat $D/out",
		"INT to the program": "(trap '' INT; virt-sandbox sh -c 'echo up >&2; sleep 3; echo survived' 2>$D/up >$D/out & " +
			"pid=$!; until grep -q up $D/up; do sleep .1; done; kill -INT $pid; wait $pid && cat $D/out)",
		"HUP to the command": "nohup virt-sandbox sh -c 'kill -HUP $$; echo survived' 2>/dev/null </dev/null | cat",
	} {
		t.Run(name, func(t *testing.T) {
			if got := shell(t, "D="+t.TempDir()+"; touch $D/up; "+script); got != "survived\n" {
				t.Errorf("it says %q", got)
			}
		})
	}
}

// What the command has not read of its input is its caller's still, as without a sandbox.
func TestInputOfCaller(t *testing.T) {
	rig.On(t, rig.Native)
	createCommand(t, "t-input", nil, "/bin/sleep", "infinity")
	must(t, "start", "t-input")
	for _, run := range []string{"virt-sandbox", "virt-sandbox-service execute t-input --"} {
		for script, want := range map[string]string{
			"seq 3 | while read n; do echo got $n; RUN true; done":               "got 1\ngot 2\ngot 3\n",
			"seq 3 | { RUN sh -c 'read n; echo read $n'; cat; }":                 "read 1\n2\n3\n",
			"seq 3 >$D/f; { RUN sh -c 'read n; echo read $n'; cat; } <$D/f":      "read 1\n2\n3\n",
			"seq 200000 | RUN md5sum | cmp - $D/sum && echo same":                "same\n",
			"(sleep 1; echo late) | RUN cat":                                     "late\n",
			"script -qec \"bash -ic 'RUN sleep 1 & wait; echo \\$?'\" /dev/null": "0\r\n",
		} {
			script = "D=" + t.TempDir() + "; seq 200000 | md5sum >$D/sum; " + strings.ReplaceAll(script, "RUN", run)
			// What the shell says of its job is no matter, unless it was stopped.
			got, isJob := shell(t, script), strings.Contains(script, "bash -ic")
			if got != want && !(isJob && strings.Contains(got, want) && !strings.Contains(got, "topped")) {
				t.Errorf("%s\nsays %q, want %q", script, got, want)
			}
		}
	}
}

// The caller's umask is for the caller's files.
func TestUmaskOfCaller(t *testing.T) {
	rig.On(t, rig.Native)
	if got := shell(t, "umask 077; virt-sandbox -S nobody id -un"); got != "nobody\n" {
		t.Errorf("as another user it says %q", got)
	}
	t.Cleanup(func() { remove(t, "t-umask") })
	shell(t, "umask 077; virt-sandbox-service create -m ram:/srv/a/b=1M t-umask -- /bin/sleep infinity")
	if got := shell(t, "stat -c %a "+contentDir+"/t-umask/srv "+contentDir+"/t-umask/srv/a"); got != "755\n755\n" {
		t.Errorf("the way to a mount has the modes %q", got)
	}
}

// Another user's command can be on the host's network too.
func TestUserOnHostNetwork(t *testing.T) {
	rig.On(t, rig.Native)
	if got := shell(t, "virt-sandbox -N host -S nobody id -un"); got != "nobody\n" {
		t.Errorf("it says %q", got)
	}
}

// The variables of [environment] are those of services and of execute, whatever is in them.
func TestEnvironmentOfServices(t *testing.T) {
	rig.On(t, rig.Native, rig.VM)
	handMade(t, "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'env >/run/out'\n")
	config, err := os.OpenFile(configDir+"/t-made.sandbox", os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = config.WriteString("\n[environment]\nT=a \"b\" 100%% $HOME \\n 'c'\n")
	if err := errors.Join(err, config.Close()); err != nil {
		t.Fatal(err)
	}
	must(t, "start", "t-made")
	const want = "a \"b\" 100% $HOME \\n 'c'\n"
	if got := inside(t, "t-made", "sed -n s/^T=//p /run/out"); got != want {
		t.Errorf("a service has %q, want %q", got, want)
	}
	if got := inside(t, "t-made", `printf '%s\n' "$T"`); got != want {
		t.Errorf("execute has %q, want %q", got, want)
	}
}

// What the host's administrator has decided for the host's systemd and journal is for these.
func TestSystemdOfHost(t *testing.T) {
	rig.On(t, rig.Native)
	files := map[string]string{
		"/etc/systemd/journald.conf.d/t-made.conf": "[Journal]\nStorage=none\n",
		"/etc/systemd/system.conf.d/t-made.conf":   "[Manager]\nDefaultTimeoutStartSec=3s\n",
	}
	for file, text := range files {
		shell(t, "mkdir -p $(dirname "+file+")")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { shell(t, "rm "+file+"; rmdir --ignore-fail-on-non-empty $(dirname "+file+")") })
	}
	handMade(t, "[Service]\nType=notify\nNotifyAccess=all\n"+
		"ExecStart=/bin/sh -c 'echo hello from inside; sleep 5; systemd-notify --ready; sleep infinity'\n")
	must(t, "start", "t-made")
	if got := must(t, "logs", "t-made"); !strings.Contains(got, "hello from inside") {
		t.Errorf("the journal has %q", got)
	}
}

// create tells of what a unit has on the host and not inside.
func TestToldOfUnit(t *testing.T) {
	rig.On(t, rig.Native)
	said := handMade(t, "[Service]\nWorkingDirectory=/home/t-made\nTasksMax=5\nUser=nobody\nPrivateDevices=yes\n"+
		"ExecStart=/bin/sleep infinity\n")
	for _, want := range []string{"host-bind:/home/t-made=/home/t-made", "TasksMax= does not count", "PrivateDevices="} {
		if !strings.Contains(said, want) {
			t.Errorf("create does not tell of %s:\n%s", want, said)
		}
	}
}
