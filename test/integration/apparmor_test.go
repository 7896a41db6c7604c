// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// Where the host has AppArmor, a container and what is executed in it run under a profile of its own that is enforced.
func TestAppArmorFeature(t *testing.T) {
	rig.On(t, rig.AppArmor)
	rig.Needs(t, rig.AppArmorOn)
	create(t, "t-armor", "-C", "-u", "apache2")
	must(t, "start", "t-armor")
	if got := inside(t, "t-armor", "curl -s http://localhost/ | grep -q 'Default Page' && echo served; systemctl "+
		"--failed --no-legend --plain"); got != "served\n" {
		t.Errorf("apache2 does not serve, or units failed: %q", got)
	}
	profile := inside(t, "t-armor", "cat /proc/1/attr/current")
	if !strings.HasPrefix(profile, "libvirt-") || !strings.HasSuffix(strings.TrimSpace(profile), "(enforce)") {
		t.Errorf("the first process has the profile %q", profile)
	}
	for _, pid := range []string{"self", "$(pidof -s apache2)"} {
		if got := inside(t, "t-armor", "cat /proc/"+pid+"/attr/current"); got != profile {
			t.Errorf("%s has the profile %q, the first process %q", pid, got, profile)
		}
	}
	// With what else stands in the way switched off.
	begun := time.Now()
	must(t, "stop", "t-armor")
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("the stop took %v: it was not orderly", took)
	}
	edit(t, "t-armor", "[limits]", "[hardening]\nread-only-kernel=no\nhide-kernel=no\n\n[limits]")
	must(t, "start", "t-armor")
	for script, refusal := range map[string]string{
		"echo h >/proc/sysrq-trigger": "denied",
		// Here the want of CAP_SYS_ADMIN comes first.
		"mount -o remount,bind,rw /proc/sys; echo x >/proc/sys/kernel/core_pattern": "",
		"mount --bind /proc/sys /tmp":                                                  "",
		"mkdir -p /tmp/p; mount -t proc proc /tmp/p":                                   "",
		"mkdir -p /tmp/r; mount --rbind / /tmp/r && echo h >/tmp/r/proc/sysrq-trigger": "",
	} {
		if o := run(t, "execute", "t-armor", "--", "sh", "-c", "exec 2>&1; "+script); o.status == 0 ||
			!strings.Contains(o.stdout, refusal) {
			t.Errorf("%s: %+v", script, o)
		}
	}
	remove(t, "t-armor")
	if left, _ := filepath.Glob("/etc/apparmor.d/libvirt/libvirt-*"); len(left) > 0 {
		t.Errorf("profiles left behind: %q", left)
	}
}

// -s apparmor,profile=NAME chooses a profile that the administrator has loaded, or none.
func TestAppArmorProfile(t *testing.T) {
	rig.On(t, rig.AppArmor)
	rig.Needs(t, rig.AppArmorOn)
	const profile = "virt-sandbox-test"
	source := filepath.Join(t.TempDir(), profile)
	text := "profile " + profile + " flags=(attach_disconnected,mediate_deleted) {\n" +
		"  file,\n  capability,\n  network,\n  signal,\n  unix,\n  deny /etc/debian_version r,\n}\n"
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("apparmor_parser", "-r", source).CombinedOutput(); err != nil {
		t.Fatalf("load a profile: %v\n%s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("apparmor_parser", "-R", source).Run() })
	for _, test := range []struct{ profile, says, label, release string }{
		{profile, "the AppArmor profile " + profile + " confines it", profile + " (enforce)\n", "denied\n"},
		{"unconfined", "AppArmor is told to leave it alone", "unconfined\n", "read\n"},
	} {
		name := "t-" + test.profile
		t.Cleanup(func() { remove(t, name) })
		o := run(t, "create", "--idmap", "none", "-s", "apparmor,profile="+test.profile, name, "--", "/bin/sh", "-c",
			"exec sleep 1000")
		if o.status != 0 || !strings.Contains(o.stderr, test.says) {
			t.Fatalf("create under the profile %s: %+v", test.profile, o)
		}
		must(t, "start", name)
		got := inside(t, name, "cat /proc/1/attr/current /proc/self/attr/current; cat /etc/debian_version >/dev/null 2>&1 "+
			"&& echo read || echo denied")
		if want := test.label + test.label + test.release; got != want {
			t.Errorf("under the profile %s: %q, want %q", test.profile, got, want)
		}
		must(t, "stop", name)
	}
	t.Cleanup(func() { remove(t, "t-unloaded") })
	must(t, "create", "-s", "apparmor,profile=no-such-profile", "t-unloaded", "--", "/bin/sleep", "1000")
	if o := run(t, "start", "t-unloaded"); o.status != 1 || !strings.Contains(o.stderr, "no-such-profile") {
		t.Errorf("start under a profile that is not loaded: %+v", o)
	}
}

// Images, disks and directories of the host are there under libvirt's profile too.
func TestAppArmorStorage(t *testing.T) {
	rig.On(t, rig.AppArmor)
	rig.Needs(t, rig.AppArmorOn)
	const disk, dir = imageDir + "/t-armor-disk.raw", "/srv/t-armor"
	shell(t, "mkdir -p "+imageDir+" "+dir+" && truncate -s 1M "+disk)
	t.Cleanup(func() { shell(t, "rm -r "+disk+" "+dir) })
	create(t, "t-armor", "-C", "-u", "apache2", "-i", "100", "--disk", "db="+disk, "-m", "host-bind:/srv/shared="+dir)
	must(t, "start", "t-armor")
	if got := inside(t, "t-armor", "echo kept >/var/www/html/kept && printf written >/dev/disk/by-tag/db && sync && echo "+
		"shared >/srv/shared/file && curl -s localhost/kept"); got != "kept\n" {
		t.Errorf("a page in the image: %q", got)
	}
	must(t, "stop", "t-armor")
	if got := shell(t, "cat "+dir+"/file; head -c 7 "+disk); got != "shared\nwritten" {
		t.Errorf("the host has %q", got)
	}
}
