// SPDX-License-Identifier: Apache-2.0

package integration

import (
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
	create(t, "t-logs", "-C", "-u", "apache2")
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
