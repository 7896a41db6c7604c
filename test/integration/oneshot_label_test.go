// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// contextOf runs a command of one sandbox that prints its own context or profile, and gives that.
func contextOf(t *testing.T, options ...string) string {
	t.Helper()
	o := runCommand(t, once(append(options, "--", "cat", "/proc/self/attr/current")...))
	if o.status != 0 || o.stderr != "" {
		t.Fatalf("%q: %+v", options, o)
	}
	return strings.TrimRight(o.stdout, "\x00\n")
}

// Under SELinux a command has a context that nobody else has, unless another is asked for, and writes only what has its
// level.
func TestSELinuxOneshot(t *testing.T) {
	rig.On(t, rig.Attempts)
	rig.Needs(t, rig.SELinux)
	const prefix = "system_u:system_r:virt_sandbox_t:"
	chosen := regexp.MustCompile("^" + prefix + `s0:c\d+,c\d+$`)
	first, second := contextOf(t), contextOf(t, "-s", "dynamic")
	if !chosen.MatchString(first) || !chosen.MatchString(second) || first == second {
		t.Errorf("two commands have %s and %s", first, second)
	}
	const label = prefix + "s0:c5,c6"
	if got := contextOf(t, "-s", "static,label="+label); got != label {
		t.Errorf("the context is %s, want %s", got, label)
	}
	shared := t.TempDir()
	if err := os.Chmod(shared, 0o777); err != nil {
		t.Fatal(err)
	}
	write := []string{"-s", "static,label=" + label, "-m", "host-bind:/srv=" + shared, "--", "sh", "-c",
		"echo written >/srv/file"}
	if o := runCommand(t, once(write...)); o.status == 0 || !strings.Contains(o.stderr, "Permission denied") {
		t.Errorf("a directory of another level can be written: %+v", o)
	}
	shell(t, "chcon -t container_file_t -l s0:c5,c6 "+shared)
	if o := runCommand(t, once(write...)); o.status != 0 {
		t.Errorf("a directory of its own level cannot be written: %+v", o)
	}
	if got := shell(t, "stat -c %C "+shared+"/file; cat "+shared+
		"/file"); got != "system_u:object_r:container_file_t:s0:c5,c6\nwritten\n" {
		t.Errorf("what was written is %q", got)
	}
	if o := runCommand(t, once("--", "cat", "/etc/shadow")); o.status == 0 {
		t.Errorf("the host's password hashes can be read: %+v", o)
	}
	// By these, language runtimes learn how many processors and how much memory they have.
	if o := runCommand(t, once("--memory", "256M", "--", "sh", "-c", "ls /sys/fs/cgroup/cpu.max && "+
		"cat /sys/fs/cgroup/memory.max")); o.status != 0 || o.stdout != "/sys/fs/cgroup/cpu.max\n268435456\n" {
		t.Errorf("a command does not read its limits: %+v", o)
	}
	if o := runCommand(t, once("--", "sh", "-c", "echo max >/sys/fs/cgroup/cpu.max")); o.status == 0 {
		t.Errorf("a command writes its limits: %+v", o)
	}
}

// Beside container-selinux commands have our type all the same. Its container_t, which somebody may choose, need not
// mount anything either.
func TestSELinuxContainerTypes(t *testing.T) {
	rig.On(t, rig.Container)
	rig.Needs(t, rig.SELinux)
	if got := contextOf(t); !strings.HasPrefix(got, "system_u:system_r:virt_sandbox_t:s0:c") {
		t.Errorf("the context is %s", got)
	}
	const chosen = "system_u:system_r:container_t:s0:c5,c6"
	if got := contextOf(t, "-s", "static,label="+chosen); got != chosen {
		t.Errorf("the context is %s, want %s", got, chosen)
	}
}

// Where the host has AppArmor a command is confined by a profile of its own.
func TestAppArmorOneshot(t *testing.T) {
	rig.On(t, rig.AppArmor)
	rig.Needs(t, rig.AppArmorOn)
	first, second := contextOf(t), contextOf(t)
	for _, profile := range []string{first, second} {
		if !strings.HasPrefix(profile, "libvirt-") || !strings.HasSuffix(profile, "(enforce)") {
			t.Errorf("the profile is %q", profile)
		}
	}
	if first == second {
		t.Errorf("two commands have the profile %s", first)
	}
	if o := runCommand(t, once("--", "sh", "-c", "echo h >/proc/sysrq-trigger")); o.status == 0 {
		t.Errorf("the host's kernel can be told what to do: %+v", o)
	}
}
