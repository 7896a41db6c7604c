// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// systemdRuns reports whether this host was booted with systemd (sd_booted(3)).
func systemdRuns() bool {
	_, err := os.Stat("/run/systemd/system")
	return err == nil
}

// systemctl runs it and ends the test unless it succeeds.
func systemctl(t *testing.T, args ...string) string {
	t.Helper()
	o := runCommand(t, exec.Command("systemctl", args...))
	if o.status != 0 {
		t.Fatalf("systemctl %s: exit status %d\n%s%s", strings.Join(args, " "), o.status, o.stdout, o.stderr)
	}
	return o.stdout
}

// status is what systemctl status shows of a unit, whatever its state.
func status(t *testing.T, unit string) string {
	t.Helper()
	shell(t, "journalctl --sync")
	return runCommand(t, exec.Command("systemctl", "status", "--no-pager", "--full", "--lines=40", unit)).stdout
}

// property gives one property of a unit.
func property(t *testing.T, unit, name string) string {
	t.Helper()
	return strings.TrimSpace(systemctl(t, "show", "--value", "--property="+name, unit))
}

// becomes waits until a unit is in a state.
func becomes(t *testing.T, unit, state string) {
	t.Helper()
	wait(t, unit+" becomes "+state, func() bool { return property(t, unit, "ActiveState") == state })
}

// boot tells one run of a container from another.
func boot(t *testing.T, name string) string {
	t.Helper()
	return inside(t, name, "cat /proc/1/stat | cut -d' ' -f22")
}

// An administrator uses nothing but systemctl after create, and nothing is left after delete.
func TestSystemdCycle(t *testing.T) {
	rig.On(t, rig.Host, rig.VM)
	rig.Needs(t, rig.Systemd)
	before := snapshot(t)
	const unit = "apache2@t-cycle.service"
	t.Cleanup(func() { remove(t, "t-cycle") })
	want := "Created sandbox container dir " + contentDir + "/t-cycle\n" +
		"Created sandbox config " + configDir + "/t-cycle.sandbox\n" +
		"Created unit file /etc/systemd/system/" + unit + "\n"
	if got := must(t, "create", "-C", "-l", "s0:c1,c2", "-u", "apache2.service", "t-cycle"); got != want {
		t.Errorf("create prints %q, want %q", got, want)
	}
	systemctl(t, "start", unit)
	for _, part := range []string{"active (running)", "apache2.service active (running)", "s0:c1,c2",
		"no network but loopback", configDir + "/t-cycle.sandbox"} {
		if got := status(t, unit); !strings.Contains(got, part) {
			t.Errorf("systemctl status lacks %q:\n%s", part, got)
		}
	}
	first := boot(t, "t-cycle")
	systemctl(t, "restart", unit)
	if boot(t, "t-cycle") == first {
		t.Error("restart has not restarted the container")
	}
	workers := inside(t, "t-cycle", "pgrep -P $(cat /run/apache2/apache2.pid) apache2")
	systemctl(t, "reload", unit)
	wait(t, "new workers after the reload", func() bool {
		return inside(t, "t-cycle", "pgrep -P $(cat /run/apache2/apache2.pid) apache2; true") != workers
	})

	systemctl(t, "enable", unit)
	if got := strings.TrimSpace(systemctl(t, "is-enabled", unit)); got != "enabled" {
		t.Errorf("is-enabled: %s", got)
	}
	systemctl(t, "disable", unit)
	if got := runCommand(t, exec.Command("systemctl", "is-enabled", unit)).stdout; got != "disabled\n" {
		t.Errorf("is-enabled after disable: %s", got)
	}
	systemctl(t, "enable", unit)

	edit(t, "t-cycle", "start-timeout=5m0s", "start-timeout=70s")
	editor := t.TempDir() + "/editor"
	if err := os.WriteFile(editor, []byte("#!/bin/sh\nprintf '[Unit]\\nDescription=edited by hand\\n' >\"$1\"\n"),
		0o755); err != nil {
		t.Fatal(err)
	}
	shell(t, "EDITOR="+editor+" script -qec 'systemctl edit "+unit+"' /dev/null")
	systemctl(t, "daemon-reload")
	if got := property(t, unit, "TimeoutStartUSec"); got != "1min 40s" {
		t.Errorf("time-out after an edit of the config: %s", got)
	}
	if got := property(t, unit, "Description"); got != "edited by hand" {
		t.Errorf("description after systemctl edit: %s", got)
	}

	systemctl(t, "stop", unit)
	if got := property(t, unit, "ActiveState") + property(t, unit, "Result"); got != "inactivesuccess" {
		t.Errorf("after stop: %s\n%s", got, status(t, unit))
	}
	must(t, "delete", "t-cycle")
	if got := property(t, unit, "LoadState") + property(t, unit, "SourcePath"); strings.Contains(got, "t-cycle") {
		t.Errorf("systemd still knows the unit: %s", got)
	}
	sameAs(t, before, "after delete")
}

// A config that is put into the directory by hand works after daemon-reload; it is populated at the first start.
func TestSystemdConfigByHand(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	before := snapshot(t)
	const unit = "apache2@t-hand.service"
	t.Cleanup(func() { remove(t, "t-hand") })
	config := "# by hand\n[sandbox]\nformat=1\nname=t-hand\nunit=apache2.service\ncopy=yes\nautostart=yes\n"
	if err := os.WriteFile(configDir+"/t-hand.sandbox", []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	systemctl(t, "daemon-reload")
	if got := property(t, unit, "WantedBy"); got != "multi-user.target" {
		t.Errorf("autostart: wanted by %q", got)
	}
	systemctl(t, "start", unit)
	if got := inside(t, "t-hand", "curl -s http://localhost/"); !strings.Contains(got, "Apache2 Debian Default Page") {
		t.Errorf("serves %q", got)
	}
	hasOwn(t, "t-hand", "/etc/apache2/apache2.conf")
	if now := shell(t, "cat "+configDir+"/t-hand.sandbox"); now != config {
		t.Errorf("the start wrote the config:\n%s", now)
	}
	completed := described(t, "t-hand")
	for _, part := range []string{"# by hand\n", "uuid=", "machine-id=", "level=s0:c", "created=",
		"path=package:apache2 /etc/apache2\n"} {
		if !strings.Contains(completed, part) {
			t.Errorf("the config lacks %q:\n%s", part, completed)
		}
	}
	if o := runCommand(t, exec.Command("systemctl", "enable", unit)); o.status == 0 {
		t.Error("systemctl enables a unit that only a generator made; the stub has become needless")
	}
	must(t, "enable", "t-hand")
	if got := strings.TrimSpace(systemctl(t, "is-enabled", unit)); got != "enabled" {
		t.Errorf("is-enabled: %s", got)
	}
	must(t, "disable", "t-hand")
	copied(t)
	reapplied(t, unit)
	systemctl(t, "stop", unit)
	must(t, "delete", "t-hand")
	sameAs(t, before, "after delete")
}

// copied makes a container of a copy of another one's config in which only the name was changed.
func copied(t *testing.T) {
	const unit = "apache2@t-copy.service"
	t.Cleanup(func() { remove(t, "t-copy") })
	shell(t, "sed s/^name=t-hand/name=t-copy/ "+configDir+"/t-hand.sandbox >"+configDir+"/t-copy.kept; sed '/^name=/a "+
		"content="+contentDir+"/t-hand' "+configDir+"/t-copy.kept >"+configDir+"/t-copy.sandbox")
	systemctl(t, "daemon-reload")
	// A copy that lies there does not trouble the original, nor does it take its content along.
	systemctl(t, "restart", "apache2@t-hand.service")
	if o := run(t, "delete", "t-copy"); o.status != 0 || !strings.Contains(o.stderr, "it is the content of t-hand") {
		t.Errorf("delete of a copy: %+v", o)
	}
	if got := inside(t, "t-hand", "curl -s http://localhost/"); !strings.Contains(got, "Apache2 Debian Default Page") {
		t.Errorf("after the delete of a copy the original serves %q", got)
	}
	shell(t, "mv "+configDir+"/t-copy.kept "+configDir+"/t-copy.sandbox; systemctl daemon-reload")
	systemctl(t, "start", unit)
	for _, key := range []string{"uuid", "machine-id", "level"} {
		if a, b := valueOf(t, "t-hand", key), valueOf(t, "t-copy", key); a == "" || b == "" || a == b {
			t.Errorf("%s is %q and %q", key, a, b)
		}
	}
	systemctl(t, "stop", unit)
	must(t, "delete", "t-copy")
}

// reapplied puts back the few lines of a config that a tool keeps, on a host that has lost what was allocated: the
// container keeps its identity, which its content knows.
func reapplied(t *testing.T, unit string) {
	file := configDir + "/t-hand.sandbox"
	state := stateDir + "/t-hand/state"
	identity := func() string { return shell(t, "grep -e ^uuid= -e ^machine-id= -e ^level= "+state) }
	before := identity()
	shell(t, "rm "+state)
	shell(t, "printf '[sandbox]\nformat=1\nname=t-hand\nunit=apache2.service\ncopy=yes\n' >"+file)
	systemctl(t, "daemon-reload")
	systemctl(t, "restart", unit)
	if got := must(t, "list"); !strings.Contains(got, "running") {
		t.Errorf("list: %s", got)
	}
	if after := identity(); after != before {
		t.Errorf("identity before\n%safter\n%s", before, after)
	}
	if got := strings.TrimSpace(inside(t, "t-hand", "cat /etc/machine-id")); !strings.Contains(before, got) {
		t.Errorf("machine ID inside is %s", got)
	}
}

// A container can be stopped whatever has become of its config since it was started.
func TestSystemdStopWithoutConfig(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	const unit = "apache2@t-lost.service"
	create(t, "t-lost", "-C", "-u", "apache2")
	file := configDir + "/t-lost.sandbox"
	shell(t, "cp "+file+" "+file+".kept")
	t.Cleanup(func() { shell(t, "mv "+file+".kept "+file) })
	for _, c := range []struct{ name, change, stop string }{
		{"wrong", "echo colour=blue >>" + file, "systemctl stop " + unit},
		{"wrong, and systemd has read it", "echo colour=blue >>" + file + "; systemctl daemon-reload",
			"systemctl stop " + unit},
		{"gone", "rm " + file, "systemctl stop " + unit},
		{"gone, and systemd has read it", "rm " + file + "; systemctl daemon-reload", "systemctl stop " + unit},
		{"gone with the unit file", "rm " + file + " /etc/systemd/system/" + unit + "; systemctl daemon-reload",
			"systemctl stop " + unit},
		{"wrong, by our tool", "echo colour=blue >>" + file, "virt-sandbox-service stop t-lost"},
		{"by a signal", "true", "systemctl kill " + unit +
			"; timeout 20 sh -c 'while systemctl is-active -q " + unit + "; do sleep .1; done'"},
	} {
		shell(t, "cp "+file+".kept "+file)
		must(t, "enable", "t-lost")
		systemctl(t, "start", unit)
		shell(t, c.change)
		begun := time.Now()
		shell(t, c.stop)
		wait(t, "the end of the container: "+c.name, func() bool {
			return !strings.Contains(shell(t, "virsh -q -c lxc:/// list --name"), "t-lost")
		})
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("%s: the stop took %v", c.name, took)
		}
		if got := shell(t, "journalctl --sync; journalctl -q -o cat -u "+unit+" -n 20"); !strings.Contains(got,
			"Powering off.") {
			t.Errorf("%s: the container was not shut down in order:\n%s", c.name, got)
		}
	}
}

// A config that comes to name another first unit has another unit on the host; the old one says so.
func TestSystemdUnitRenamed(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	const old, renamed = "apache2@t-renamed.service", "dbus@t-renamed.service"
	create(t, "t-renamed", "-C", "-u", "apache2")
	systemctl(t, "enable", old)
	systemctl(t, "start", old)
	edit(t, "t-renamed", "unit=apache2.service", "unit=dbus.service\nunit=apache2.service")
	systemctl(t, "daemon-reload")
	if got := property(t, old, "Description"); !strings.Contains(got, "its unit is "+renamed+" now") {
		t.Errorf("the old unit says %q", got)
	}
	if o := runCommand(t, exec.Command("systemctl", "start", renamed)); o.status == 0 {
		t.Error("the container was started by both units")
	}
	if got := property(t, old, "ActiveState"); got != "active" || boot(t, "t-renamed") == "" {
		t.Errorf("the old unit is %s", got)
	}
	// While the one starts it, the other must not end it.
	systemctl(t, "stop", old)
	systemctl(t, "start", "--no-block", renamed)
	time.Sleep(100 * time.Millisecond)
	runCommand(t, exec.Command("systemctl", "start", old))
	becomes(t, renamed, "active")
	systemctl(t, "stop", renamed)
	must(t, "enable", "t-renamed")
	if got := strings.TrimSpace(systemctl(t, "is-enabled", renamed)); got != "enabled" {
		t.Errorf("the new unit is %s", got)
	}
	if _, err := os.Lstat("/etc/systemd/system/multi-user.target.wants/" + old); !os.IsNotExist(err) {
		t.Errorf("the old unit is enabled still (%v)", err)
	}
	systemctl(t, "start", renamed)
}

// A config that cannot be used leaves a unit that says so.
func TestSystemdBadConfig(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	const unit = "apache2@t-bad.service"
	create(t, "t-bad", "-C", "-u", "apache2")
	edit(t, "t-bad", "[limits]", "[limits]\ncolour=blue")
	systemctl(t, "daemon-reload")
	line := strings.TrimSpace(shell(t, "grep -n colour "+configDir+"/t-bad.sandbox | cut -d: -f1"))
	reason := configDir + "/t-bad.sandbox:" + line + ": unknown key \"colour\""
	if o := runCommand(t, exec.Command("systemctl", "start", unit)); o.status == 0 {
		t.Error("the unit starts")
	}
	got := status(t, unit)
	if strings.Count(got, reason) < 2 || !strings.Contains(got, "failed") {
		t.Errorf("systemctl status does not say %s as description and in the log:\n%s", reason, got)
	}
	if o := runCommand(t, exec.Command("virt-sandbox-service", "start", "t-bad")); o.status != 1 ||
		!strings.Contains(o.stderr, reason) {
		t.Errorf("start: %+v", o)
	}
	dryRun := runCommand(t, exec.Command("/usr/lib/systemd/system-generators/virt-sandbox-service-generator", "--dry-run"))
	if dryRun.status != 1 || strings.Count(dryRun.stderr, "\n") != 1 || !strings.Contains(dryRun.stderr, reason) {
		t.Errorf("--dry-run: %+v", dryRun)
	}
	edit(t, "t-bad", "colour=blue\n", "")
	systemctl(t, "daemon-reload")
	systemctl(t, "start", unit)
}

// A service that cannot start inside makes the start fail within its time, with the inner unit's own words.
func TestSystemdInnerFailure(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	const unit = "apache2@t-inner.service"
	create(t, "t-inner", "-C", "-u", "apache2")
	shell(t, "echo 'NoSuchDirective on' >>"+contentDir+"/t-inner/etc/apache2/apache2.conf")
	begun := time.Now()
	if o := runCommand(t, exec.Command("systemctl", "start", unit)); o.status == 0 {
		t.Error("the unit starts")
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("the failure took %v", took)
	}
	got := status(t, unit)
	for _, part := range []string{"apache2.service inside failed", "Invalid command 'NoSuchDirective'", "Active: failed"} {
		if !strings.Contains(got, part) {
			t.Errorf("systemctl status lacks %q:\n%s", part, got)
		}
	}
	if got := must(t, "list"); !strings.Contains(got, "stopped") {
		t.Errorf("list: %s", got)
	}
}

// Many creates at once reload systemd a few times, not each.
func TestSystemdReloadsTogether(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	const many = 12
	names := make([]string, many)
	for i := range names {
		names[i] = "t-many" + string(rune('a'+i))
		t.Cleanup(func() { remove(t, names[i]) })
	}
	reloads := func() int {
		return strings.Count(shell(t, "journalctl --sync; journalctl --quiet --output=cat _PID=1 | grep "+
			"'^Reloading\\.' || :"),
			"\n")
	}
	before := reloads()
	failed := make(chan error, many)
	for _, name := range names {
		go func() { failed <- exec.Command(program, "create", "-C", "-u", "apache2", name).Run() }()
	}
	for range names {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if n := reloads() - before; n < 1 || n > many/2 {
		t.Errorf("%d creates made %d reloads", many, n)
	}
	for _, name := range names {
		if got := property(t, "apache2@"+name+".service", "LoadState"); got != "loaded" {
			t.Errorf("%s: unit is %s", name, got)
		}
	}
}
