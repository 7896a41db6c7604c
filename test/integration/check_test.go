// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// A file with another level is left as it is by starts and stops, named by check, and changed by check --fix only.
func TestSELinuxCheck(t *testing.T) {
	rig.On(t, rig.VM)
	rig.Needs(t, rig.SELinuxOn)
	const own, other = "system_u:object_r:container_file_t:s0:c1,c2", "system_u:object_r:container_file_t:s0:c3,c4"
	create(t, "t-check", "-C", "-l", "s0:c1,c2", "-u", "apache2")
	if got := must(t, "check", "t-check"); got != "" {
		t.Errorf("check of a new one: %s", got)
	}
	file := contentDir + "/t-check/var/www/html/badcontent"
	shell(t, "echo bad >"+file+" && chcon "+other+" "+file)
	want := file + ": label " + other + ", wanted " + own
	named := func(when string) {
		t.Helper()
		if o := run(t, "check", "t-check"); o.status != 1 || o.stdout != want+"\n" || o.stderr != "" {
			t.Errorf("check %s: %+v", when, o)
		}
	}
	named("before the start")
	if o := run(t, "start", "t-check"); o.status != 0 || strings.Contains(o.stderr, "label") {
		t.Errorf("start: %+v", o)
	}
	named("while it runs")
	must(t, "stop", "t-check")
	named("after the stop")
	var list []struct {
		Path, Problem, Actual, Wanted string
		Fixed                         bool
	}
	o := run(t, "check", "--json", "t-check")
	if err := json.Unmarshal([]byte(o.stdout), &list); err != nil || o.status != 1 || len(list) != 1 ||
		list[0].Path != file || list[0].Problem != "label" || list[0].Actual != other || list[0].Wanted != own ||
		list[0].Fixed {
		t.Errorf("check --json: %+v (%v)", o, err)
	}
	if got := must(t, "check", "--fix", "t-check"); got != want+", fixed\n" {
		t.Errorf("check --fix: %s", got)
	}
	if got := must(t, "check", "t-check"); got != "" {
		t.Errorf("check after --fix: %s", got)
	}
	if got := strings.TrimSpace(shell(t, "stat -c %C "+file)); got != own {
		t.Errorf("its label is %s", got)
	}
	shell(t, "chcon "+other+" "+contentDir+"/t-check")
	if o := run(t, "start", "t-check"); !strings.Contains(o.stderr, "check t-check") &&
		!strings.Contains(shell(t, "journalctl -b -o cat -u apache2@t-check"), "check t-check") {
		t.Errorf("start with a content directory of another level: %+v", o)
	}
}

// Where there are no labels to check, there is all else: what is gone, what was left, what cannot be used. A sandbox
// that was never started has nothing that could be wrong.
func TestCheckWithoutSELinux(t *testing.T) {
	rig.On(t, rig.Native)
	rig.Needs(t, rig.NoSELinux)
	create(t, "t-check", "-C", "-u", "apache2")
	if o := run(t, "check", "t-check"); o.status != 0 || o.stdout != "" || o.stderr != "" {
		t.Errorf("check: %+v", o)
	}
	if o := run(t, "check", "--fix", "--json", "t-check"); o.status != 0 || o.stdout != "[]\n" ||
		o.stderr != "virt-sandbox-service: SELinux is off on this host: there are no labels to set\n" {
		t.Errorf("check --fix --json: %+v", o)
	}
	must(t, "start", "t-check")
	must(t, "check", "t-check")
	must(t, "stop", "t-check")
	must(t, "check", "t-check")
	gone := contentDir + "/t-check/etc/apache2/apache2.conf"
	shell(t, "rm "+gone)
	file := configDir + "/t-new.sandbox"
	t.Cleanup(func() { os.Remove(file) })
	if err := os.WriteFile(file, []byte("[sandbox]\nformat=1\nname=t-new\n[command]\nargument=/bin/true\n"),
		0o644); err != nil {
		t.Fatal(err)
	}
	must(t, "check", "t-new")
	shell(t, "echo nonsense >>"+file)
	leftover := contentDir + "/t-left/.virt-sandbox"
	t.Cleanup(func() { os.RemoveAll(contentDir + "/t-left") })
	shell(t, "mkdir -p "+leftover+" && touch "+leftover+"/creating")
	o := run(t, "check", "--all")
	if o.status != 1 || o.stderr != "" {
		t.Errorf("check --all: %+v", o)
	}
	for _, want := range []string{gone + ": missing: ", file + ": config: ", contentDir + "/t-left: leftover: "} {
		if !strings.Contains("\n"+o.stdout, "\n"+want) {
			t.Errorf("check --all does not tell of %q:\n%s", want, o.stdout)
		}
	}
	var list []struct{ Name, Path, Problem string }
	o = run(t, "check", "--json", "t-check", "t-new", "t-left")
	if err := json.Unmarshal([]byte(o.stdout), &list); err != nil || o.status != 1 || len(list) != 3 ||
		list[0].Name != "t-check" || list[1].Problem != "config" || list[2].Path != contentDir+"/t-left" {
		t.Errorf("check --json: %+v (%v)", o, err)
	}
	must(t, "delete", "t-left")
	refused(t, run(t, "check", "t-left"), "no such sandbox")
}

// What an upgrade brings into a container has its label from birth.
func TestSELinuxUpgrade(t *testing.T) {
	rig.On(t, rig.VM)
	rig.Needs(t, rig.SELinuxOn)
	t.Cleanup(func() { shell(t, "dpkg --purge vst-upgrade; rm -rf /etc/vstup /etc/vstup-new") })
	installDeb(t, 1)
	create(t, "t-upgrade", "-C", "-l", "s0:c1,c2", "-u", "vst-upgrade")
	shell(t, "echo mine >>"+contentDir+"/t-upgrade/etc/vstup/both.conf")
	must(t, "start", "t-upgrade")
	installDeb(t, 2)
	must(t, "upgrade", "t-upgrade")
	if got := must(t, "check", "t-upgrade"); got != "" {
		t.Errorf("labels after the upgrade:\n%s", got)
	}
	inside(t, "t-upgrade", "echo more >>/etc/vstup/follows.conf && cat /etc/vstup/both.conf.dpkg-dist "+
		"/etc/vstup/new/new.conf /etc/vstup/link")
	must(t, "stop", "t-upgrade")
	must(t, "start", "t-upgrade")
	inside(t, "t-upgrade", "echo more >>/etc/vstup-new/new.conf && touch /var/lib/vstup-new/x")
}
