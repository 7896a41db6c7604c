// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// mounting are directives that systemd starts no service without, and a command that succeeds with what they stand for.
const mounting = "BindReadOnlyPaths=/dev/log:/var/lib/t-mounts/dev/log\n" +
	"BindReadOnlyPaths=/usr/lib/systemd:/srv/lib /var/lib/t-from:/srv/read\nBindPaths=/var/lib/t-from:/srv/to\n" +
	"TemporaryFileSystem=/var/lib/t-scratch\nLogNamespace=t-mounts\n" +
	"ExecStart=/bin/sh -ec 'logger -u /var/lib/t-mounts/dev/log -t t-mounts heard; test -d /srv/lib/system; " +
	"touch /srv/to/made; test -f /srv/read/made; if touch /srv/read/new; then exit 1; fi; " +
	"stat -fc %%T /var/lib/t-scratch | grep tmpfs; " +
	// In a chroot a link would lead nowhere.
	"test -S /var/lib/t-mounts/dev/log; ! test -L /var/lib/t-mounts/dev/log'\n"

// withoutMounts are options of create for a container whose units can mount nothing: under SELinux none can.
func withoutMounts() []string {
	if enforcing, err := os.ReadFile("/sys/fs/selinux/enforce"); err == nil && string(enforcing) == "1" {
		return nil
	}
	return []string{"--capabilities", "auto -CAP_SYS_ADMIN"}
}

// A unit that systemd starts only with mounts of its own serves where no process can mount: what it would see is there
// for the container, whose processes have no CAP_SYS_ADMIN. create tells of each kind, and refuses what cannot be had.
func TestUnitsThatMount(t *testing.T) {
	rig.On(t, rig.Native, rig.VM, rig.AppArmor)
	const unit = "/etc/systemd/system/t-mounts.service"
	t.Cleanup(func() { shell(t, "rm -rf "+unit) })
	write := func(lines string) {
		t.Helper()
		text := "[Service]\nType=oneshot\nRemainAfterExit=yes\n" + lines
		if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { remove(t, "t-mounts") })
	args := append(append([]string{"create", "-P", "hostname"}, withoutMounts()...), "-u", "t-mounts", "t-mounts")
	write("ExecStart=/bin/true\nRootDirectory=/srv\n")
	if o := run(t, args...); o.status == 0 || !strings.Contains(o.stderr, "RootDirectory= needs a mount") {
		t.Errorf("with a root of its own: %+v", o)
	}
	write(mounting)
	o := run(t, args...)
	for _, want := range []string{
		"BindReadOnlyPaths=/dev/log:/var/lib/t-mounts/dev/log is a link", "BindPaths=/var/lib/t-from:/srv/to is made",
		"TemporaryFileSystem=/var/lib/t-scratch is made", "LogNamespace=t-mounts is left out",
	} {
		if o.status != 0 || !strings.Contains(o.stderr, want) {
			t.Fatalf("create tells no %q: %+v", want, o)
		}
	}
	for range 2 {
		must(t, "start", "t-mounts")
		got := inside(t, "t-mounts", "journalctl --sync 2>/dev/null; "+
			"journalctl -q -t t-mounts -o cat | tail -n 1; ls /var/lib/t-from; "+
			"awk '/CapBnd/ { print substr($2, 11, 1) }' /proc/1/status")
		// CAP_SYS_ADMIN is bit 21, in the sixth digit from the end.
		bound, isSame := strings.CutPrefix(got, "heard\nmade\n")
		if !isSame || len(bound) != 2 || strings.ContainsAny(bound[:1], "2367abef") {
			t.Errorf("got %q, want a line of the journal, a file and no CAP_SYS_ADMIN", got)
		}
		must(t, "stop", "t-mounts")
	}
}

// A service reads its credentials, also with a user of its own, and in a container that mounts.
func TestCredentials(t *testing.T) {
	rig.On(t, rig.Native, rig.VM, rig.AppArmor)
	t.Cleanup(func() { shell(t, "rm -rf /etc/systemd/system/t-cred*.service /etc/t-cred") })
	shell(t, "mkdir -m 700 /etc/t-cred && echo secret >/etc/t-cred/secret && chmod 600 /etc/t-cred/secret")
	for kind, units := range map[string]map[string]string{
		"bare":     {"t-cred-root": "", "t-cred-user": "User=www-data\n", "t-cred-dynamic": "DynamicUser=yes\n"},
		"mounting": {"t-cred-mount": "User=www-data\nBindPaths=/var/lib/t-from:/srv/to\n", "t-cred-beside": ""},
	} {
		t.Run(kind, func(t *testing.T) {
			args := []string{"create", "-C", "-P", "hostname"}
			for name, lines := range units {
				text := "[Service]\nType=oneshot\nRemainAfterExit=yes\nLoadCredential=token:/etc/t-cred/secret\n" +
					"SetCredential=word:text\nStateDirectory=" + name + " t-from\n" + lines + "ExecStart=/bin/sh -ec " +
					"'cat $CREDENTIALS_DIRECTORY/token $CREDENTIALS_DIRECTORY/word >/var/lib/" + name + "/got'\n"
				if err := os.WriteFile("/etc/systemd/system/"+name+".service", []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				args = append(args, "-u", name)
			}
			t.Cleanup(func() { remove(t, "t-cred") })
			must(t, append(args, "t-cred")...)
			must(t, "start", "t-cred")
			for name := range units {
				if got := inside(t, "t-cred", "cat /var/lib/"+name+"/got"); got != "secret\ntext" {
					t.Errorf("%s read %q", name, got)
				}
			}
		})
	}
}
