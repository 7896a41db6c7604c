package integration

import (
	"strings"
	"testing"
)

// Of a container that ends while libvirtd is down, the next libvirtd keeps a domain that it takes for one being started. The
// sandbox is then down for every verb.
func TestEndWithoutLibvirtd(t *testing.T) {
	const name = "t-unseen"
	before := snapshot(t)
	create(t, name, "-C", "-u", "apache2")
	for _, verb := range []string{"start", "stop"} {
		must(t, "start", name)
		first := strings.TrimSpace(shell(t, "pgrep -P $(cat /run/libvirt/lxc/"+name+".pid)"))
		restartLibvirtd(t, "kill -9 "+first)
		if out := must(t, "list"); !strings.Contains(out, "stopped") {
			t.Errorf("after its end, list says:\n%s", out)
		}
		must(t, verb, name)
	}
	if out := shell(t, "virsh -q -c lxc:/// list --all --name"); strings.Contains(out, name) {
		t.Errorf("libvirt still has %s after stop", name)
	}
	must(t, "delete", name)
	sameAs(t, before, "after ends that libvirtd did not see")
}
