// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// ansible runs a program of Ansible on this host, with the module of contrib/ansible as it is installed.
func ansible(t *testing.T, args ...string) outcome {
	t.Helper()
	command := exec.Command(args[0], append(args[1:], "-i", "localhost,", "-c", "local")...)
	command.Env = append(os.Environ(), "ANSIBLE_LIBRARY=/usr/share/virt-sandbox/ansible", "ANSIBLE_NOCOLOR=1",
		"ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3", "ANSIBLE_LOCALHOST_WARNING=False", "ANSIBLE_PIPELINING=1")
	return runCommand(t, command)
}

// play runs the playbook and returns what it says.
func play(t *testing.T, args ...string) string {
	t.Helper()
	o := ansible(t, append([]string{"ansible-playbook", "--diff", "testdata/ansible/site.yml"}, args...)...)
	if o.status != 0 {
		t.Fatalf("ansible-playbook %q: exit status %d\n%s%s", args, o.status, o.stdout, o.stderr)
	}
	return o.stdout
}

// TestSystemdAnsible: the module of contrib/ansible makes, changes, restarts and deletes what a playbook asks for; a
// second run changes nothing, and check mode says what a real run does, and does nothing.
func TestSystemdAnsible(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	template := configDir + "/t-ans@.sandbox"
	put(t, template, "[sandbox]\nformat=2\n[command]\nargument=/bin/sleep\nargument=600\n")
	t.Cleanup(func() {
		for _, name := range []string{"t-ans-job", "t-ans@a", "t-ans@b", "t-ans-one"} {
			remove(t, name)
		}
		if err := os.Remove(template); err != nil {
			t.Error(err)
		}
	})
	if o := runCommand(t, exec.Command("ansible-doc", "-M", "../../contrib/ansible", "virt_sandbox")); o.status != 0 ||
		!strings.Contains(o.stdout, "= name\n") {
		t.Errorf("ansible-doc: %+v", o)
	}
	before := snapshot(t)
	said := play(t, "--check")
	sameAs(t, before, "after check mode")
	did := play(t)
	if did != said || !strings.Contains(did, "changed=4 ") || !strings.Contains(did, "+argument=/bin/sleep\n") ||
		!strings.Contains(did, "+unit=apache2.service\n") || !strings.Contains(did, "+state: started\n") {
		t.Errorf("check mode said\n%s\nand a real run did\n%s", said, did)
	}
	if got := must(t, "list", "-q", "t-ans*"); got != "t-ans-job\nt-ans-one\nt-ans@a\nt-ans@b\n" {
		t.Errorf("there are %q", got)
	}
	if got := systemctl(t, "is-enabled", "virt-sandbox@t-ans-job.service"); got != "enabled\n" {
		t.Errorf("it is %s", got)
	}
	first := boot(t, "t-ans-job")
	before = snapshot(t)
	if got := play(t); !strings.Contains(got, "changed=0 ") || boot(t, "t-ans-job") != first {
		t.Errorf("a second run did\n%s", got)
	}
	sameAs(t, before, "after a second run")

	if got := play(t, "-e", "size=2M"); !strings.Contains(got, "changed=2 ") ||
		!strings.Contains(got, "\n-ram=/scratch=1M\n+ram=/scratch=2M\n") {
		t.Errorf("a change did\n%s", got)
	}
	if got := inside(t, "t-ans-job", "findmnt -no SIZE /scratch"); strings.TrimSpace(got) != "2M" {
		t.Errorf("/scratch has %q", got)
	}

	o := ansible(t, "ansible", "all", "-m", "virt_sandbox", "-a", `{"name": "t-ans-job", "config": "[sandbox]\nformat=2\n`+
		`autostrat=yes\n[limits]\nmemory=much\n"}`)
	file := configDir + "/t-ans-job.sandbox"
	if o.status == 0 || !strings.Contains(o.stdout, file+`:3: unknown key`) || !strings.Contains(o.stdout, "autostart") ||
		!strings.Contains(o.stdout, `line 5: `) || strings.Contains(shell(t, "cat "+file), "much") {
		t.Errorf("of mistakes it says %+v", o)
	}

	if got := play(t, "-e", "wanted=absent"); !strings.Contains(got, "changed=3 ") {
		t.Errorf("an end did\n%s", got)
	}
	if got := must(t, "list", "-q", "t-ans*"); got != "" {
		t.Errorf("there are %q", got)
	}
}
