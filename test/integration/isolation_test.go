// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// Two containers of one service see only their own content, processes, network and cgroups, and nothing of the host's.
func TestSideBySide(t *testing.T) {
	rig.On(t, rig.Native)
	const secret = "/root/virt-sandbox-test-secret"
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(secret) })
	for _, name := range []string{"t-one", "t-two"} {
		create(t, name, "-C", "-u", "apache2")
		must(t, "start", name)
		inside(t, name, "echo page of "+name+" >/var/www/html/index.html")
	}
	for _, name := range []string{"t-one", "t-two"} {
		other := map[string]string{"t-one": "t-two", "t-two": "t-one"}[name]
		for _, question := range []struct{ script, want string }{
			{"curl -s http://localhost/", "page of " + name},
			{"hostname; cat /etc/hostname /proc/sys/kernel/hostname", name + "\n" + name + "\n" + name},
			{"ps -e -o comm= | grep -c apache2 | sed 's/^[1-9].*/some/'", "some"},
			{"ps -e -o comm= | grep -c -e libvirt -e virt-sandbox-ser", "0"},
			{"ls /home /boot /srv /mnt /media", "/boot:\n\n/home:\n\n/media:\n\n/mnt:\n\n/srv:"},
			{"ls /root", ""},
			{"free >/dev/null && ps aux >/dev/null && echo works", "works"},
			{"ls /var/lib/libvirt 2>&1 | grep -c " + other, "0"},
			{"ls -A /etc/libvirt-sandbox /etc/libvirt 2>/dev/null | grep -c sandbox$", "0"},
			{"ls -d /sys/fs/cgroup/*/virt-sandbox-* /sys/fs/cgroup/*/machine* 2>/dev/null", ""},
			{"ls /sys/class/net", "lo"},
			{"cut -d: -f2 /etc/shadow | sort -u", "*"},
			{"touch /usr/bin/x /opt/x 2>&1 | grep -c 'Read-only file system'", "2"},
			{"awk '$2 == \"/\" || $2 ~ \"^/(usr|opt)$\" { print substr($4, 1, 2) }' /proc/self/mounts | sort -u", "ro"},
			{"find / -xdev -name virt-sandbox-test-secret 2>/dev/null", ""},
		} {
			if got := strings.TrimSpace(inside(t, name, question.script+"; true")); got != question.want {
				t.Errorf("in %s: %s\nsays %q, want %q", name, question.script, got, question.want)
			}
		}
	}
	must(t, "stop", "t-one")
	if got := inside(t, "t-two", "curl -s http://localhost/"); got != "page of t-two\n" {
		t.Errorf("after the other one stopped: %q", got)
	}
}

// A change of one container survives its restart, and the journal of each is found by the host's journalctl.
func TestRestartKeepsContent(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-keep", "-C", "-u", "apache2")
	must(t, "start", "t-keep")
	inside(t, "t-keep", "echo kept >/var/www/html/index.html; logger -t keeper written to the journal")
	must(t, "stop", "t-keep")
	must(t, "start", "t-keep")
	if got := inside(t, "t-keep", "curl -s http://localhost/"); got != "kept\n" {
		t.Errorf("after a restart: %q", got)
	}
	id := strings.TrimSpace(inside(t, "t-keep", "cat /etc/machine-id"))
	if got := shell(t, "journalctl -m _MACHINE_ID="+id+" -t keeper -o cat"); got != "written to the journal\n" {
		t.Errorf("the host's journalctl -m says %q", got)
	}
}
