// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// A unit of systemd has a container with a lease: its status has the address, and the lease outlives whoever watches
// the container, and libvirtd. Without a server the status says so.
func TestSystemdNetwork(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	makeBridge(t)
	end := serveDHCP(t, 20)
	before := snapshot(t)
	create(t, "t-super", "-C", "-u", "apache2", "-N", "dhcp,bridge=t-br")
	systemctl(t, "start", supervised)
	address := regexp.MustCompile(`10\.221\.0\.[0-9]+/24`).FindString(status(t, supervised))
	if address == "" {
		t.Fatalf("systemctl status has no address:\n%s", status(t, supervised))
	}
	first := boot(t, "t-super")
	serves := func(after string) {
		t.Helper()
		if got := shell(t, "curl -s --max-time 5 http://"+strings.TrimSuffix(address, "/24")+
			"/ || true"); !strings.Contains(got, "Debian") {
			t.Errorf("%s it serves %q", after, got)
		}
		if boot(t, "t-super") != first {
			t.Errorf("%s the container was started anew", after)
		}
	}
	serves("at first")
	if got := inside(t, "t-super", "cat /etc/resolv.conf"); !strings.Contains(got,
		"nameserver 10.221.0.1\nsearch lease.test\n") {
		t.Errorf("resolv.conf: %q", got)
	}
	watcher := property(t, supervised, "MainPID")
	shell(t, "kill -9 "+watcher)
	wait(t, "another watcher", func() bool {
		now := property(t, supervised, "MainPID")
		return now != watcher && now != "0"
	})
	becomes(t, supervised, "active")
	shell(t, "systemctl restart "+servicesOfLibvirt())
	time.Sleep(25 * time.Second)
	serves("after the first lease's time, a kill of its watcher and a restart of libvirtd")
	systemctl(t, "stop", supervised)

	end()
	edit(t, "t-super", "start-timeout=5m0s", "start-timeout=3s")
	if o := runCommand(t, exec.Command("systemctl", "start", supervised)); o.status == 0 {
		t.Error("the start succeeds without a DHCP server")
	}
	if got := status(t, supervised); !strings.Contains(got, "network of t-super: eth0: no DHCP server answers within 3s") {
		t.Errorf("systemctl status does not say why:\n%s", got)
	}
	remove(t, "t-super")
	sameAs(t, before, "after delete")
}
