// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// Where systemd runs the host a clone has a unit at once, status knows why a unit failed, edit has systemd read the
// config anew, and a sandbox that is halted for a copy stays up for its unit.
func TestSystemdVerbs(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	before := snapshot(t)
	create(t, "t-verbs", "-C", "-u", "apache2")
	const unit = "apache2@t-verbs.service"
	must(t, "start", "t-verbs")
	t.Cleanup(func() { remove(t, "t-verbs2") })
	must(t, "clone", "--freeze", "t-verbs", "t-verbs2")
	if state := property(t, unit, "ActiveState"); state != "active" {
		t.Errorf("after the clone the unit of the source is %s", state)
	}
	systemctl(t, "start", "apache2@t-verbs2.service")
	for _, name := range []string{"t-verbs", "t-verbs2"} {
		if got := inside(t, name, "hostname; curl -so /dev/null -w '%{http_code}' http://localhost/"); got != name+"\n200" {
			t.Errorf("%s says %q", name, got)
		}
		if d, _ := statusOf(t, name, 0); d.Usage.CPU == nil || d.Usage.PIDs == nil || len(d.InnerUnits) != 1 ||
			selinuxRuns() && !strings.HasSuffix(d.Label, d.Level) {
			t.Errorf("status of %s: %+v", name, d)
		}
	}
	// With a graceful reload of the unit on the host, as without it.
	must(t, "reload", "-u", "apache2", "t-verbs")
	command := exec.Command(program, "edit", "t-verbs")
	command.Env = append(os.Environ(), "VISUAL=", "EDITOR="+editor(t, `-e '$a [unit]\nDescription=Edited'`))
	if o := runCommand(t, command); o.status != 0 || !strings.Contains(o.stderr, "next start") {
		t.Errorf("edit: %+v", o)
	}
	if got := property(t, unit, "Description"); got != "Edited" {
		t.Errorf("the unit is described as %q", got)
	}
	if got := must(t, "logs", "-u", "apache2", "t-verbs"); !strings.Contains(got, "apache2.service") {
		t.Errorf("logs while it is up: %q", got)
	}
	must(t, "stop", "t-verbs2")
	if got := must(t, "logs", "-u", "apache2", "t-verbs2"); !strings.Contains(got, "apache2.service") {
		t.Errorf("logs when it is down: %q", got)
	}
	shell(t, "echo no such directive >"+contentDir+"/t-verbs2/etc/apache2/apache2.conf")
	if o := run(t, "start", "t-verbs2"); o.status == 0 {
		t.Error("a start with a broken configuration succeeded")
	}
	if d, _ := statusOf(t, "t-verbs2", 3); d.Since == nil || !strings.Contains(d.LastError,
		"apache2@t-verbs2.service failed (exit-code): apache2.service inside failed (exit-code)") {
		t.Errorf("status of one that failed: %+v", d)
	}
	archive := t.TempDir() + "/archive"
	must(t, "export", "--zstd", "t-verbs2", archive)
	must(t, "delete", "t-verbs2")
	must(t, "import", archive)
	if state := property(t, "apache2@t-verbs2.service", "LoadState"); state != "loaded" {
		t.Errorf("the unit of an import is %s", state)
	}
	must(t, "stop", "t-verbs")
	must(t, "delete", "t-verbs2")
	must(t, "delete", "t-verbs")
	t.Cleanup(func() { remove(t, "t-command") })
	must(t, "create", "t-command", "--", "/bin/sh", "-c", "echo said by a command; exec sleep 60")
	must(t, "start", "t-command")
	wait(t, "the console", func() bool {
		return strings.Contains(must(t, "logs", "-n", "50", "t-command"),
			"said by a command")
	})
	must(t, "stop", "t-command")
	must(t, "delete", "t-command")
	sameAs(t, before, "after all were deleted")
}

// All files of a clone and of an import have the level of that, whatever the source's have.
func TestSELinuxClone(t *testing.T) {
	rig.On(t, rig.VM)
	rig.Needs(t, rig.SELinuxOn)
	create(t, "t-source", "-C", "-l", "s0:c1,c2", "-u", "apache2")
	must(t, "start", "t-source")
	t.Cleanup(func() { remove(t, "t-clone"); remove(t, "t-import") })
	must(t, "clone", "--freeze", "-l", "s0:c3,c4", "t-source", "t-clone")
	shell(t, program+" export --freeze t-source | "+program+" import -l s0:c5,c6 - t-import")
	for name, level := range map[string]string{"t-source": "s0:c1,c2", "t-clone": "s0:c3,c4", "t-import": "s0:c5,c6"} {
		labels := shell(t, "find "+contentDir+"/"+name+" -printf '%Z\\n' | cut -d: -f3- | sort -u")
		if want := "container_file_t:" + level + "\n"; labels != want {
			t.Errorf("labels of %s: %q, want %q", name, labels, want)
		}
		if got := must(t, "check", name); got != "" {
			t.Errorf("check of %s: %s", name, got)
		}
		must(t, "start", name)
		if got := inside(t, name, "curl -so /dev/null -w '%{http_code}' http://localhost/"); got != "200" {
			t.Errorf("%s answers %q", name, got)
		}
		must(t, "stop", name)
		if got := must(t, "logs", "-u", "apache2", name); !strings.Contains(got, "apache2.service") {
			t.Errorf("logs of %s: %q", name, got)
		}
	}
	if got := shell(t, program+" export t-source | tar -tvv --xattrs -f - "+
		"--xattrs-include=security.selinux | head -3"); !strings.Contains(got, "t-source.sandbox") {
		t.Errorf("the archive has %s", got)
	}
}
