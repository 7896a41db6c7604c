// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// The policy lets a container have interfaces, also one with ids of its own, whose network belongs to its user
// namespace: with an address that its config has, with one by DHCP, and a one-shot.
func TestSELinuxInterfaces(t *testing.T) {
	rig.On(t, rig.VM)
	rig.Needs(t, rig.SELinux)
	makeBridge(t)
	end := serveDHCP(t, 600)
	defer end()
	create(t, "t-own", "-C", "-u", "apache2", "-N", "bridge=t-br,address=10.221.0.9/24")
	create(t, "t-none", "-C", "-u", "apache2", "--idmap", "none", "-N", "bridge=t-br,address=10.221.0.8/24")
	create(t, "t-lease", "-C", "-u", "apache2", "-N", "dhcp,bridge=t-br")
	for _, name := range []string{"t-own", "t-none", "t-lease"} {
		must(t, "start", name)
		address := strings.TrimSpace(inside(t, name, "ip -o -4 addr show dev eth0 | sed 's|.*inet \\([0-9.]*\\)/.*|\\1|'"))
		if got := shell(t, "curl -s --max-time 20 -o /dev/null -w '%{http_code}' http://"+address+"/"); got != "200" {
			t.Errorf("%s: the host gets %s from %s", name, got, address)
		}
	}
	o := runCommand(t, once("-N", "bridge=t-br,address=10.221.0.7/24", "--", "ip", "-o", "-4", "addr", "show", "eth0"))
	if o.status != 0 || !strings.Contains(o.stdout, "10.221.0.7/24") {
		t.Errorf("%+v", o)
	}
}
