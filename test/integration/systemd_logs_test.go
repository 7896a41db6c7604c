// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// The host's journal has the console and the helper's words; the container's own is read with the host's journalctl,
// and is kept after delete if that is asked for.
func TestSystemdLogs(t *testing.T) {
	rig.On(t, rig.Host, rig.VM)
	rig.Needs(t, rig.Systemd)
	before := snapshot(t)
	create(t, "t-logs", "-C", "-u", "apache2", "--idmap", "none") // machined enters no other user namespace.
	systemctl(t, "start", "apache2@t-logs")
	inside(t, "t-logs", "logger -t web written inside; echo on the console >/dev/console; journalctl --sync")
	machineID := strings.TrimSpace(inside(t, "t-logs", "cat /etc/machine-id"))
	dir := "/var/log/journal/" + machineID
	for _, c := range []struct{ command, want string }{
		{"journalctl -u apache2@t-logs", "on the console"},
		{"journalctl -u apache2@t-logs SANDBOX_UNIT=apache2.service", "Started apache2.service"},
		{"journalctl -m -t web", "written inside"},
		{"journalctl -m _MACHINE_ID=" + machineID + " -u apache2.service", "Apache HTTP Server"},
		{"journalctl -D " + dir + " -t web", "written inside"},
	} {
		wait(t, c.want+" by "+c.command, func() bool {
			return strings.Contains(shell(t, "journalctl --sync; "+c.command+" --no-pager"), c.want)
		})
	}
	machine(t)
	systemctl(t, "stop", "apache2@t-logs")
	if got := must(t, "delete", "--keep-journal", "t-logs"); got != "Kept journal "+dir+"\n" {
		t.Errorf("delete prints %q", got)
	}
	if got := shell(t, "journalctl -m -t web --no-pager"); !strings.Contains(got, "written inside") {
		t.Errorf("after delete the journal lacks what was written inside:\n%s", got)
	}
	shell(t, "rm -r "+dir)
	sameAs(t, before, "after delete")
}

// machine reads the journal by the name that libvirt registers with systemd-machined, where that runs.
func machine(t *testing.T) {
	if _, err := os.Stat("/usr/share/dbus-1/system-services/org.freedesktop.machine1.service"); err != nil {
		return
	}
	names := runCommand(t, exec.Command("machinectl", "list", "--no-legend", "--no-pager")).stdout
	for line := range strings.Lines(names) {
		name, _, _ := strings.Cut(line, " ")
		if !strings.HasSuffix(name, "-t-logs") {
			continue
		}
		if got := shell(t, "journalctl -M "+name+" -t web --no-pager"); !strings.Contains(got, "written inside") {
			t.Errorf("journalctl -M %s lacks what was written inside:\n%s", name, got)
		}
		return
	}
	t.Errorf("machinectl list lacks the container:\n%s", names)
}
