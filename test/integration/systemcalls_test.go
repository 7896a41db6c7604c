// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// What a container's systemd and its units run can make no call that a container has no use for, and units bound
// themselves further.
func TestSystemCalls(t *testing.T) {
	rig.On(t, rig.Native)
	for _, ids := range [][]string{nil, {"--idmap", "auto"}} {
		installUnits(t)
		create(t, "t-calls", append(ids, "-u", "vst-forking")...)
		must(t, "start", "t-calls")
		if got := inside(t, "t-calls", "awk '/^Seccomp:/ { print $2 }' /proc/1/status"); got != "2\n" {
			t.Errorf("%q: the first process has the filter mode %q, want 2", ids, got)
		}
		for _, attempt := range []struct{ script, want string }{
			{"perl -e 'exit(syscall(250, 0, -4, 1) < 0 && $!==1 ? 0 : 1)' && echo none", "none"}, // keyctl
			{"unshare --user true", "not permitted"},
			{"unshare --mount true", "not permitted"},
			{"perl -e 'exit(syscall(425, 8, 0) < 0 && $!==1 ? 0 : 1)' && echo none", "none"}, // io_uring_setup
			{"perl -e 'exit(syscall(323, 0) < 0 && $!==1 ? 0 : 1)' && echo none", "none"},    // userfaultfd
			{"setpriv --reuid nobody id -un", "nobody"},
			{"awk '/^NoNewPrivs:/ { print $2 }' /proc/self/status", "0"},
		} {
			got := byUnit(t, nil, attempt.script)
			if !strings.Contains(got, attempt.want) {
				t.Errorf("%q: %s: got %q, want %q in it", ids, attempt.script, got, attempt.want)
			}
			o := run(t, "execute", "t-calls", "--", "sh", "-c", attempt.script)
			if got := o.stdout + o.stderr; !strings.Contains(got, attempt.want) {
				t.Errorf("%q: execute %s: got %q, want %q in it", ids, attempt.script, got, attempt.want)
			}
		}
		bounded := byUnit(t, []string{
			"SystemCallFilter=~chmod fchmodat", "SystemCallErrorNumber=EUCLEAN", "RestrictNamespaces=yes",
			"MemoryDenyWriteExecute=yes",
		}, "chmod 600 /run/x; touch /run/x && chmod 600 /run/x")
		if !strings.Contains(bounded, "Structure needs cleaning") {
			t.Errorf("%q: SystemCallFilter= of a unit: got %q", ids, bounded)
		}
		if got := byUnit(t, []string{"PrivateUsers=yes"}, "echo well"); got != "well\n" {
			t.Errorf("%q: a unit with PrivateUsers=: got %q", ids, got)
		}
		remove(t, "t-calls")
	}
}

// The administrator chooses calls by name, and a unit that asks for a capability gets the calls that go with it.
func TestSystemCallsChosen(t *testing.T) {
	rig.On(t, rig.Native)
	installUnits(t)
	create(t, "t-calls", "-u", "vst-forking", "--system-calls", "auto +keyctl -chroot", "--capabilities",
		"auto +CAP_SYS_ADMIN")
	must(t, "start", "t-calls")
	for _, attempt := range []struct{ script, want string }{
		{"perl -e 'exit(syscall(250, 0, -4, 1) < 0 ? 1 : 0)' && echo well", "well"},
		{"chroot / true", "not permitted"},
		{"unshare --mount sh -c 'mount -t tmpfs x /mnt' && echo well", "well"},
		{"unshare --user true", "not permitted"},
	} {
		if got := byUnit(t, nil, attempt.script); !strings.Contains(got, attempt.want) {
			t.Errorf("%s: got %q, want %q in it", attempt.script, got, attempt.want)
		}
	}
	must(t, "stop", "t-calls")
	edit(t, "t-calls", "[hardening]\n", "[hardening]\nuser-namespaces=yes\n")
	must(t, "start", "t-calls")
	got := byUnit(t, nil, "unshare --user --map-root-user --mount mount -t tmpfs x /mnt && echo well")
	if got != "well\n" {
		t.Errorf("user-namespaces=yes: got %q", got)
	}
	must(t, "stop", "t-calls")
	edit(t, "t-calls", "-chroot", "-chroot -mkdirrat")
	if o := run(t, "start", "t-calls"); o.status == 0 || !strings.Contains(o.stderr, "mkdirrat") {
		t.Errorf("an unknown name: got %+v", o)
	}
	remove(t, "t-calls")
	if o := run(t, "create", "-u", "vst-forking", "--system-calls", "auto +mkdirrat", "t-calls"); o.status != 2 ||
		!strings.Contains(o.stderr, "--system-calls") {
		t.Errorf("an unknown name: got %+v", o)
	}
	if _, err := os.Stat(configDir + "/t-calls.sandbox"); err == nil {
		t.Error("a create that was refused left a config")
	}
}

// byUnit runs a script as systemd inside runs a service, and returns what it says.
func byUnit(t *testing.T, properties []string, script string) string {
	t.Helper()
	command := []string{"execute", "t-calls", "--", "systemd-run", "--quiet", "--wait", "--pipe"}
	for _, p := range properties {
		command = append(command, "--property="+p)
	}
	o := run(t, slices.Concat(command, []string{"sh", "-c", "exec 2>&1; " + script})...)
	return o.stdout + o.stderr
}

// Variables of the environment are not for every user of the host, nor for every user inside.
func TestEnvironmentIsPrivate(t *testing.T) {
	rig.On(t, rig.Native)
	installUnits(t)
	for _, ids := range [][]string{nil, {"--idmap", "auto"}} {
		create(t, "t-secret", append(ids, "-u", "vst-forking")...)
		edit(t, "t-secret", "[limits]", "[environment]\nPASSWORD=vst-hidden\n\n[limits]")
		shell(t, "EDITOR='sed -i s/pids=4096/pids=4000/' virt-sandbox-service edit t-secret")
		must(t, "start", "t-secret")
		if got := inside(t, "t-secret", "tr '\\0' '\\n' </proc/1/environ | grep PASSWORD"); got != "PASSWORD=vst-hidden\n" {
			t.Errorf("%q: systemd has %q", ids, got)
		}
		got := shell(t, "setpriv --reuid 65534 --regid 65534 --clear-groups grep -rsl vst-hidden "+
			"/run/virt-sandbox "+configDir+" /run/virt-sandbox/t-secret/guest/sandbox.json; true")
		if got != "" {
			t.Errorf("%q: nobody outside reads %q", ids, got)
		}
		got = inside(t, "t-secret", "setpriv --reuid nobody --regid nogroup --clear-groups "+
			"grep -rsl vst-hidden /run/host; true")
		if got != "" {
			t.Errorf("%q: nobody inside reads %q", ids, got)
		}
		remove(t, "t-secret")
	}
}
