// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// With store=host the host's journal alone has what a container says, from its first words to its last, with ids of its
// own as with the host's: none of it lies in the content. logs shows it while the container is up, and after that.
func TestStoredByHost(t *testing.T) {
	rig.On(t, rig.Host, rig.VM)
	rig.Needs(t, rig.Systemd)
	before := snapshot(t)
	for _, ids := range []string{"auto", "none"} {
		create(t, "t-store", "-C", "-u", "apache2", "--idmap", ids)
		shell(t, "printf '\n[journal]\nforward=all\nstore=host\n' >>"+configDir+"/t-store.sandbox && systemctl daemon-reload")
		systemctl(t, "start", "apache2@t-store")
		inside(t, "t-store", "logger -t web written inside with "+ids)
		shows := func(want string, args ...string) {
			t.Helper()
			wait(t, want+" in the logs", func() bool {
				return strings.Contains(must(t, append([]string{"logs", "t-store"}, args...)...), want)
			})
		}
		shows("written inside with " + ids)
		shows("Started apache2.service", "-u", "apache2")
		shell(t, "systemctl stop apache2@t-store")
		shows("Stopped apache2.service", "-u", "apache2")
		if got := shell(t, "find "+contentDir+"/t-store/var/log/journal -name '*.journal*'"); got != "" {
			t.Errorf("with idmap %s the content has\n%s", ids, got)
		}
		got := shell(t, "journalctl -q -m SANDBOX=t-store -t web -o cat --no-pager")
		if strings.Count(got, "with "+ids) != 1 {
			t.Errorf("the host's journal has not once what was written:\n%s", got)
		}
		must(t, "delete", "t-store")
	}
	sameAs(t, before, "after both")
}
