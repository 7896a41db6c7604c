// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// A command runs under the host's systemd as its user, with nothing to read, and its end is that of its unit.
func TestSystemdGeneric(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	for n, end := range []struct {
		name, script        string
		state, result, code string
	}{
		{"success", "exit 0", "inactive", "success", "0"},
		{"failure", "exit 3", "failed", "exit-code", "3"},
		{"a status that stands for a reboot elsewhere", "exit 133", "failed", "exit-code", "133"},
		{"a signal", "kill -9 $$", "failed", "exit-code", "137"},
		{"a program that is not there", "exec /no/such/program", "failed", "exit-code", "127"},
	} {
		t.Run(end.name, func(t *testing.T) {
			// The journal of another one of the name would be told apart by nothing.
			name := "t-generic" + strconv.Itoa(n)
			unit := "virt-sandbox@" + name + ".service"
			createGeneric(t, name, []string{"-U", "33", "-G", "4", "--homedir", "/var/tmp"},
				"echo id $(id -u):$(id -g) home $HOME user $USER; echo reads $(wc -c) from $(readlink /proc/self/fd/0); "+
					end.script)
			systemctl(t, "start", "--no-block", unit)
			wait(t, "its last words", func() bool { return strings.Contains(consoleOf(t, name), "reads 0 from /dev/null\n") })
			becomes(t, unit, end.state)
			if got := property(t, unit, "Result") + " " + property(t, unit, "ExecMainStatus"); got != end.result+" "+end.code {
				t.Errorf("ended with %s, want %s %s", got, end.result, end.code)
			}
			if log := consoleOf(t, name); strings.Count(log, "id 33:4 home /var/tmp user www-data\n") != 1 {
				t.Errorf("its log:\n%s", log)
			}
		})
	}
}

// createGeneric makes a container of a shell command.
func createGeneric(t *testing.T, name string, options []string, script string) {
	t.Helper()
	t.Cleanup(func() { remove(t, name) })
	must(t, append(append([]string{"create"}, options...), name, "--", "sh", "-c", script)...)
}

// A command goes on until it is stopped; restart= starts one that failed anew, and enabling works as for any other.
func TestSystemdGenericStays(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	const unit = "virt-sandbox@t-stays.service"
	createGeneric(t, "t-stays", []string{"--username", "www-data"},
		"trap 'echo told; exit 0' TERM; while :; do sleep 0.1; done")
	systemctl(t, "start", unit)
	first := boot(t, "t-stays")
	// As the user, since root inside may not trace others.
	if got := strings.TrimSpace(inside(t, "t-stays", "pgrep -u www-data -x sh | head -n 1 | xargs -I{} setpriv "+
		"--reuid=33 --regid=33 --clear-groups readlink /proc/{}/fd/0")); got != "/dev/null" {
		t.Errorf("its standard input is %q", got)
	}
	systemctl(t, "stop", unit)
	if got := property(t, unit, "ActiveState") + property(t, unit, "Result"); got != "inactivesuccess" {
		t.Errorf("after stop: %s\n%s", got, status(t, unit))
	}
	if log := consoleOf(t, "t-stays"); !strings.Contains(log, "told\n") {
		t.Errorf("it was not asked to end:\n%s", log)
	}
	edit(t, "t-stays", "restart=no", "restart=on-failure")
	systemctl(t, "daemon-reload")
	systemctl(t, "start", unit)
	inside(t, "t-stays", "pkill -9 -u www-data -x sh")
	wait(t, "a new start", func() bool {
		return property(t, unit, "NRestarts") == "1" && property(t, unit, "ActiveState") == "active"
	})
	if boot(t, "t-stays") == first {
		t.Error("it was not started anew")
	}
	systemctl(t, "enable", unit)
	if got := strings.TrimSpace(systemctl(t, "is-enabled", unit)); got != "enabled" {
		t.Errorf("it is %s", got)
	}
	if o := runCommand(t, exec.Command("systemctl", "reload", unit)); o.status == 0 {
		t.Error("a command can be reloaded")
	}
	systemctl(t, "stop", unit)
}
