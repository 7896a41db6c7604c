// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// A container's /etc is its own: all can be written to, changed and deleted in it, for good, and the host's stays as it
// is. Below that it sees what everybody may read of the host's, as it was at the start, and no keys.
func TestEtc(t *testing.T) {
	rig.On(t, rig.Native, rig.VM)
	host := shell(t, "md5sum /etc/passwd /etc/group /etc/issue; ls -d /etc/default /etc/t-*; true")
	t.Cleanup(func() {
		for _, name := range []string{"/etc/t-late", "/etc/t-key", "/etc/t-closed"} {
			os.Remove(name)
		}
	})
	create(t, "t-etc", "-C", "-u", "apache2")
	must(t, "start", "t-etc")
	inside(t, "t-etc", "useradd -m t-user && echo t-user:secret | chpasswd && rm -r /etc/issue /etc/default && "+
		"echo mine >/etc/motd && mkdir /etc/t-new && mv /etc/skel /etc/t-moved && touch /etc/t-moved/x")
	if got := inside(t, "t-etc", "cat /etc/apache2/ports.conf >/dev/null; grep -c ' /etc/' /proc/self/mountinfo; "+
		"ls -d /etc/libvirt* /etc/virt-sandbox* /etc/ssh/ssh_host*key 2>/dev/null; true"); got != "0\n" {
		t.Errorf("mounts below /etc, and what it must not see: %s", got)
	}
	mounts, err := strconv.Atoi(strings.TrimSpace(inside(t, "t-etc", "wc -l </proc/self/mountinfo")))
	if err != nil || mounts > 41 {
		t.Errorf("it has %d mounts (%v)", mounts, err)
	}
	shell(t, "echo late >/etc/t-late; (umask 077; echo secret >/etc/t-closed); "+
		"printf -- '-----BEGIN PRIVATE KEY-----\n' >/etc/t-key; chmod 644 /etc/t-key")
	if got := must(t, "status", "t-etc"); !strings.Contains(got, "the host's has changed since the start") {
		t.Errorf("status does not tell that it is old:\n%s", got)
	}
	if o := run(t, "check", "t-etc"); !strings.Contains(o.stderr, "t-etc sees the host's /etc as it was at the start") {
		t.Errorf("check does not tell that it is old: %+v", o)
	}
	const look = "ls -d /etc/issue /etc/default /etc/skel /etc/t-* 2>/dev/null; cat /etc/motd; id -un t-user; " +
		"cut -d: -f2 /etc/shadow | cut -c1 | sort -u | paste -sd ' '"
	if got := inside(t, "t-etc", look); strings.ReplaceAll(got, "! ", "") !=
		"/etc/t-moved\n/etc/t-new\nmine\nt-user\n$ *\n" {
		t.Errorf("it has %q", got)
	}
	must(t, "stop", "t-etc")
	must(t, "start", "t-etc")
	want := "/etc/t-late\n/etc/t-moved\n/etc/t-new\nmine\nt-user\n$ *\n"
	if got := inside(t, "t-etc", look); strings.ReplaceAll(got, "! ", "") != want {
		t.Errorf("after a restart it has %q, want %q", got, want)
	}
	if got := must(t, "status", "t-etc"); strings.Contains(got, "has changed since") {
		t.Errorf("after a restart it is old:\n%s", got)
	}
	// An editor puts a new file in the place of the old one.
	shell(t, "sed -i 's/^Listen 80$/Listen 80\\nListen 8081/' "+contentDir+"/t-etc/etc/apache2/ports.conf")
	must(t, "reload", "t-etc")
	if got := inside(t, "t-etc", "grep -c 8081 /etc/apache2/ports.conf; curl -so /dev/null localhost:8081 && echo "+
		"serves"); got != "1\nserves\n" {
		t.Errorf("after a change from outside and a reload: %q", got)
	}
	os.Remove("/etc/t-late")
	os.Remove("/etc/t-key")
	os.Remove("/etc/t-closed")
	if got := shell(t, "md5sum /etc/passwd /etc/group /etc/issue; ls -d /etc/default /etc/t-*; true"); got != host {
		t.Errorf("the host's /etc is\n%s\nand was\n%s", got, host)
	}
}
