// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// hostsUnits are those in the table of virt-sandbox-service(1), INSIDE, that run from the start.
func hostsUnits() []string {
	return []string{
		"systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket",
		"systemd-journal-flush.service",
		"dbus.socket", "dbus.service", "systemd-tmpfiles-setup.service", "systemd-tmpfiles-setup-dev.service",
		"systemd-tmpfiles-clean.timer", "systemd-user-sessions.service", "virt-sandbox-host-keys.service",
	}
}

// Inside, nothing runs beside the sandbox's own units but what the table has, nothing fails that the host's /usr has
// systemd start, and what serves only who logs in comes with the first who does.
func TestInside(t *testing.T) {
	rig.On(t, rig.Native)
	clean(t)
	for _, service := range []string{"apache2", "mariadb", "ssh", "dovecot"} {
		t.Run(service, func(t *testing.T) {
			if _, err := os.Stat("/usr/lib/systemd/system/" + service + ".service"); err != nil {
				t.Skip(err)
			}
			name := "sc-" + service
			t.Cleanup(func() { remove(t, []string{name}) })
			run(t, program, "create", "-C", "-u", service, name)
			run(t, program, "start", name)
			inside := func(args ...string) string {
				t.Helper()
				return run(t, append([]string{program, "execute", name, "--"}, args...)...)
			}
			failed := func() {
				t.Helper()
				if out := inside("systemctl", "--failed", "--no-legend", "--plain"); out != "" {
					t.Errorf("units failed:\n%s", out)
				}
				if state := strings.TrimSpace(inside("systemctl", "is-system-running")); state != "running" {
					t.Errorf("the system is %s", state)
				}
			}
			failed()
			for line := range strings.Lines(inside("systemctl", "list-units", "--type=service,socket,timer,path,automount",
				"--state=active", "--no-legend", "--plain")) {
				if running := strings.Fields(line)[0]; running != service+".service" && !slices.Contains(hostsUnits(), running) {
					t.Errorf("%s runs, which virt-sandbox-service(1) does not tell of", running)
				}
			}
			if out, err := exec.Command(program, "execute", name, "--", "systemctl", "is-active",
				"systemd-logind").Output(); err == nil {
				t.Errorf("logind runs already: %s", out)
			}
			inside("loginctl", "list-sessions")
			if state := strings.TrimSpace(inside("systemctl", "is-active", "systemd-logind")); state != "active" {
				t.Errorf("logind does not come when it is asked for: it is %s", state)
			}
			failed()
		})
	}
}
