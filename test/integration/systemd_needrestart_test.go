// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// needrestart(1) tells of a sandbox that runs what was replaced, and of no other, and its command restarts that.
func TestSystemdNeedrestart(t *testing.T) {
	rig.On(t, rig.Docs)
	rig.Needs(t, rig.Systemd, rig.Needrestart)
	const module = "/usr/share/perl5/NeedRestart/CONT/virtsandbox.pm"
	const settings = "/etc/needrestart/conf.d/virt-sandbox.conf"
	shell(t, "cp ../../packaging/needrestart/virtsandbox.pm "+module)
	t.Cleanup(func() { os.Remove(module) })
	for _, name := range []string{"t-old", "t-new"} {
		create(t, name, "-C", "-u", "apache2")
	}
	must(t, "start", "t-old", "t-new")
	const file = "/usr/lib/t-stale"
	shell(t, "cp /bin/sleep "+file)
	t.Cleanup(func() { os.Remove(file) })
	inside(t, "t-old", "systemd-run --quiet --unit=t-stale "+file+" 1000")
	list := func() string {
		t.Helper()
		out, err := exec.Command("needrestart", "-b", "-m", "a", "-r", "l", "-l").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	if out := list(); strings.Contains(out, "t-old") || strings.Contains(out, "t-new") {
		t.Errorf("before anything was replaced:\n%s", out)
	}
	shell(t, "cp /bin/sleep "+file+".new && mv "+file+".new "+file)
	out := list()
	if !strings.Contains(out, "virtsandbox t-old\n") || strings.Contains(out, "t-new") || strings.Contains(out, "error") {
		t.Errorf("after that:\n%s", out)
	}
	before := must(t, "status", "t-new")
	if out, err := exec.Command("needrestart", "-r", "a", "-l", "-m", "a").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out := list(); strings.Contains(out, "t-old") {
		t.Errorf("after it was to be restarted:\n%s", out)
	}
	// A new monitor alone, as an upgrade of virt-sandbox brings it, is no reason to restart containers.
	const monitor = "/usr/libexec/virt-sandbox/virt-sandbox-service-monitor"
	shell(t, "cp -p "+monitor+" "+monitor+".new && mv "+monitor+".new "+monitor)
	if out := list(); !strings.Contains(out, "apache2@t-new") {
		t.Errorf("this needrestart does not see monitors:\n%s", out)
	}
	shell(t, "cp ../../packaging/needrestart/virt-sandbox.conf "+settings)
	t.Cleanup(func() { os.Remove(settings) })
	if out := list(); strings.Contains(out, "apache2@") {
		t.Errorf("after the monitor was replaced:\n%s", out)
	}
	if after := must(t, "status", "t-new"); !strings.Contains(after, sinceIn(before)) {
		t.Errorf("the other was restarted too:\n%s\n%s", before, after)
	}
}

// sinceIn is since when a sandbox runs, by what status says.
func sinceIn(status string) string {
	_, rest, _ := strings.Cut(status, "since ")
	since, _, _ := strings.Cut(rest, ";")
	return since
}
