// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// With ids of its own, root inside is nobody outside, and files keep the owners that they have on disk.
func TestIDMap(t *testing.T) {
	rig.On(t, rig.Native)
	before := snapshot(t)
	shared := t.TempDir()
	create(t, "t-map", "-C", "-u", "apache2", "--idmap", "auto", "-m", "host-bind:/srv/shared="+shared, "-m",
		"ram:/srv/scratch=3M")
	create(t, "t-map-two", "-C", "-u", "apache2", "--idmap", "auto")
	base := idMapOf(t, "t-map")
	if other := idMapOf(t, "t-map-two"); other == base {
		t.Errorf("both have the ids from %s", base)
	}
	for _, name := range []string{"t-map", "t-map-two"} {
		must(t, "start", name)
	}
	inside(t, "t-map", "echo mapped >/var/www/html/index.html; chown www-data /var/www/html/index.html; echo x "+
		">/srv/shared/of-root; echo x >/srv/scratch/f")
	for _, question := range []struct{ script, want string }{
		{"curl -s http://localhost/", "mapped"},
		{"systemctl --failed --no-legend --plain", ""},
		{"awk '{ print $1, $2, $3 }' /proc/self/uid_map /proc/self/gid_map", "0 " + base + " 65536\n0 " + base + " 65536"},
		{"id -u; id -g; id -G; hostname; pwd; echo $HOME", "0\n0\n0\nt-map\n/\n/root"},
		{"stat -c %u:%g / /usr/bin/env /etc/passwd /var/www", "0:0\n0:0\n0:0\n0:0"},
		{"stat -c %U /var/www/html/index.html", "www-data"},
		{"ps -o user= -C apache2 | sort -u", "root\nwww-data"},
		{"readlink /proc/1/ns/* >/tmp/1; readlink /proc/self/ns/* | diff /tmp/1 -", ""},
		{"diff /proc/1/cgroup /proc/self/cgroup", ""},
		{"grep CapBnd /proc/1/status >/tmp/1; grep CapBnd /proc/self/status | diff /tmp/1 -", ""},
		{"free >/dev/null && ps aux >/dev/null && echo works", "works"},
		{"journalctl -q -n 1 -u apache2 | wc -l", "1"},
		{"touch /usr/bin/x /usr/x 2>&1 | grep -c 'Read-only file system'", "2"},
		{"mount -o remount,bind,rw / 2>&1 | grep -c -i -e denied -e permitted", "1"},
		{"umount /etc 2>&1; umount /usr/local 2>&1; cut -d: -f2 /etc/shadow | sort -u",
			"umount: /etc: must be superuser to unmount.\numount: /usr/local: must be superuser to unmount.\n*"},
		{"touch /run/host/x 2>&1 | grep -c -i -e denied -e read-only", "1"},
		{"kill -0 $$ && echo h 2>/dev/null >/proc/sysrq-trigger || echo refused", "refused"},
	} {
		if got := strings.TrimSpace(inside(t, "t-map", question.script+"; true")); got != question.want {
			t.Errorf("%s\nsays %q, want %q", question.script, got, question.want)
		}
	}
	for file, want := range map[string]uint32{
		contentDir + "/t-map/var/www/html/index.html": 33, shared + "/of-root": 0, contentDir + "/t-map/etc/apache2": 0,
	} {
		info, err := os.Stat(file)
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != want {
			t.Errorf("%s outside: %v, owner is not %d", file, err, want)
		}
	}
	if users := strings.Fields(shell(t, "ps -o uid= -C apache2 | sort -un | head -1")); users[0] != base {
		t.Errorf("outside the processes run as %s, root inside as %s", users, base)
	}
	for _, c := range []struct {
		args []string
		want outcome
	}{
		{[]string{"sh", "-c", "echo out; echo err >&2; exit 7"}, outcome{"out\n", "err\n", 7}},
		{[]string{"printf", "%s|", "a b", "", "$HOME", "c\nd", "--", "-x"}, outcome{"a b||$HOME|c\nd|--|-x|", "", 0}},
		{[]string{"no-such-command"}, outcome{"", "no-such-command: command not found\n", 127}},
		{[]string{"/etc/passwd"}, outcome{"", "/etc/passwd: permission denied\n", 126}},
		{[]string{"sh", "-c", "kill -9 $$"}, outcome{"", "", 137}},
	} {
		if got := run(t, append([]string{"execute", "t-map", "--"}, c.args...)...); got != c.want {
			t.Errorf("execute %q: got %+v, want %+v", c.args, got, c.want)
		}
	}
	if mounts := shell(t, "grep -c virt-sandbox/.root /proc/mounts || true"); strings.TrimSpace(mounts) != "0" {
		t.Errorf("the host has %s mounts of containers that are up", mounts)
	}
	must(t, "stop", "t-map")
	must(t, "start", "t-map")
	if got := inside(t, "t-map", "curl -s http://localhost/"); got != "mapped\n" {
		t.Errorf("after a restart: %q", got)
	}
	for _, name := range []string{"t-map", "t-map-two"} {
		remove(t, name)
	}
	sameAs(t, before, "after delete")
}

// At create, exactly one line says what separates root inside from root outside, where SELinux does not.
func TestNoticeWithoutSELinux(t *testing.T) {
	rig.On(t, rig.Native)
	rig.Needs(t, rig.NoSELinux)
	apparmor := strings.Contains(shell(t, "virsh -c lxc:/// capabilities"), "<model>apparmor")
	for _, c := range []struct {
		options []string
		want    string
	}{
		{nil, "its own user ids separate"}, {[]string{"--idmap", "none"}, "root inside is root outside"},
	} {
		if apparmor {
			c.want = "libvirt's profile of AppArmor confines it"
		}
		t.Cleanup(func() { remove(t, "t-notice") })
		o := run(t, append([]string{"create", "-u", "apache2", "t-notice"}, c.options...)...)
		if o.status != 0 || strings.Count(o.stderr, "\n") != 1 || !strings.Contains(o.stderr, c.want) {
			t.Errorf("with %q: %+v, want %s", c.options, o, c.want)
		}
		remove(t, "t-notice")
	}
}

// What cannot be mapped is refused by its name, and leaves nothing.
func TestIDMapRefused(t *testing.T) {
	rig.On(t, rig.Native)
	before := snapshot(t)
	const cannot = "the kernel cannot map the ids of the file system at /proc/sys (proc)"
	o := run(t, "create", "-u", "apache2", "--idmap", "auto", "-m", "host-bind:/srv/sys=/proc/sys", "t-unmapped")
	if o.status == 0 || !strings.Contains(o.stderr, cannot) {
		t.Errorf("create: %+v, want %q", o, cannot)
	}
	o = run(t, "create", "-u", "apache2", "-N", "host", "--idmap", "auto", "t-unmapped")
	if o.status == 0 || !strings.Contains(o.stderr, "-N host does not go with --idmap") {
		t.Errorf("create with the host's network: %+v", o)
	}
	create(t, "t-unmapped", "-u", "apache2", "--idmap", "auto", "-m", "host-bind:/dev/srv=/srv")
	if o := run(t, "start", "t-unmapped"); o.status == 0 || !strings.Contains(o.stderr, "be mounted at /dev/srv") {
		t.Errorf("start: %+v", o)
	}
	remove(t, "t-unmapped")
	sameAs(t, before, "after the refusals")
}

// A config put in place by hand chooses its ids at the first start, a copy of it gets others, and what is taken is
// refused.
func TestIDMapOfConfigs(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-first", "-C", "-u", "apache2", "--idmap", "auto")
	base := idMapOf(t, "t-first")
	for _, name := range []string{"t-auto", "t-taken"} {
		t.Cleanup(func() { remove(t, name) })
	}
	write := func(name, value string) {
		text := "[sandbox]\nformat=1\nname=" + name + "\nunit=apache2.service\ncopy=yes\n[hardening]\nidmap=" + value + "\n"
		if err := os.WriteFile(configDir+"/"+name+".sandbox", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("t-auto", "auto")
	must(t, "start", "t-auto")
	if got := idMapOf(t, "t-auto"); got == base {
		t.Errorf("the ids from %s are given twice", base)
	}
	write("t-taken", base+":65536")
	if o := run(t, "start", "t-taken"); o.status == 0 || !strings.Contains(o.stderr, "another's too") {
		t.Errorf("ids that are taken: %+v", o)
	}
	data, err := os.ReadFile(configDir + "/t-first.sandbox")
	if err != nil {
		t.Fatal(err)
	}
	copied := strings.ReplaceAll(string(data), "t-first", "t-taken")
	if err := os.WriteFile(configDir+"/t-taken.sandbox", []byte(copied), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, "start", "t-taken")
	if got := idMapOf(t, "t-taken"); got == base || got == idMapOf(t, "t-auto") {
		t.Errorf("the copy has the ids from %s", got)
	}
}

// idMapOf reads the first id of a container from its description.
func idMapOf(t *testing.T, name string) string {
	t.Helper()
	text := described(t, name)
	found := regexp.MustCompile(`(?m)^idmap=(\d+):65536$`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no ids in\n%s", text)
	}
	return found[1]
}
