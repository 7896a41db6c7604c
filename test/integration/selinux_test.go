// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// denial is what the kernel logs of an access that SELinux denied.
type denial struct {
	permissions    []string
	class          string
	source, target string // contexts
	text           string
}

func (d denial) sourceType() string { return strings.Split(d.source, ":")[2] }
func (d denial) targetType() string { return strings.Split(d.target, ":")[2] }

var denialText = regexp.MustCompile(`avc:\s+denied\s+\{ ([^}]*) \}.* scontext=(\S+) tcontext=(\S+) tclass=(\S+)`)

// denials reads those of this boot since a moment.
func denials(t *testing.T, since time.Time) []denial {
	t.Helper()
	var list []denial
	text := shell(t, fmt.Sprintf("journalctl --sync; journalctl -b -q -o cat --no-pager --since @%d _TRANSPORT=audit",
		since.Unix()))
	for line := range strings.Lines(text) {
		if match := denialText.FindStringSubmatch(line); match != nil {
			list = append(list, denial{strings.Fields(match[1]), match[4], match[2], match[3], strings.TrimSpace(line)})
		}
	}
	return list
}

// What the containers of all earlier tests of this boot were denied is what the policy expects: nothing but what it
// does not even log.
func TestSELinuxDenials(t *testing.T) {
	rig.On(t, rig.Denials)
	rig.Needs(t, rig.SELinux)
	checkDenials(t, time.Unix(0, 0))
}

// checkDenials looks for denials since a moment that have to do with containers.
func checkDenials(t *testing.T, since time.Time) {
	t.Helper()
	ours := []string{"virt_sandbox_t", "virt_sandbox_setup_t", "container_t", "container_file_t", "container_ro_file_t",
		"virtd_lxc_t"}
	for _, d := range denials(t, since) {
		if slices.Contains(ours, d.sourceType()) || slices.Contains(ours, d.targetType()) {
			t.Errorf("the policy lacks a rule, or a reason to deny: %s", d.text)
		}
	}
}

// An administrator who logged in runs commands inside under the container's label, with the level of it alone, and
// makes files that the container can use.
func TestSELinuxAdministrator(t *testing.T) {
	rig.On(t, rig.VM)
	rig.Needs(t, rig.SELinux)
	const admin = "runcon unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023 "
	create(t, "t-admin", "-C", "-u", "apache2")
	must(t, "start", "t-admin")
	label := strings.TrimSpace(inside(t, "t-admin", "cat /proc/1/attr/current | tr -d '\\0'"))
	if !strings.HasPrefix(label, "system_u:system_r:virt_sandbox_t:s0:c") {
		t.Errorf("the first process has the label %s", label)
	}
	if got := shell(t, admin+program+" execute t-admin -- cat /proc/self/attr/current | "+
		"tr -d '\\0'"); strings.TrimSpace(got) != label {
		t.Errorf("a command of execute has the label %s, the first process %s", got, label)
	}
	if got := shell(t, admin+program+" execute --noseclabel t-admin -- cat /proc/self/attr/current | "+
		"tr -d '\\0'"); !strings.Contains(got, ":unconfined_t:") {
		t.Errorf("with --noseclabel a command has the label %s", got)
	}
	shell(t, admin+"sh -c 'echo from outside >"+contentDir+"/t-admin/var/www/html/new.html'")
	if got := inside(t, "t-admin", "curl -s http://localhost/new.html"); got != "from outside\n" {
		t.Errorf("a file made outside is served as %q", got)
	}
}

// What -s and -f name is asked of the loaded policy, and is what processes and content have.
func TestSELinuxLabels(t *testing.T) {
	rig.On(t, rig.VM)
	rig.Needs(t, rig.SELinux)
	for _, c := range []struct {
		options []string
		message string
	}{
		{[]string{"-s", "static,label=system_u:system_r:no_such_t:s0:c5,c6"}, "does not know type no_such_t"},
		{[]string{"-s", "static,label=nobody_u:system_r:virt_sandbox_t:s0:c5,c6"}, "does not know user nobody_u"},
		{[]string{"-f", "no_such_t"}, "-f no_such_t: the loaded policy does not know type"},
		{[]string{"-l", "s0:c1024"}, "c1024"},
	} {
		if o := run(t, append(append([]string{"create"}, c.options...), "t-labels", "--", "/bin/true")...); o.status == 0 ||
			!strings.Contains(o.stderr, c.message) {
			t.Errorf("%q: %+v", c.options, o)
		}
	}
	// A command goes from the domain of its set-up to that of its processes as a systemd does.
	const label = "system_u:system_r:virt_sandbox_t:s0:c5,c6"
	const before = "system_u:system_r:container_t:s0:c5,c6" // The same type, by the name that configs have had.
	t.Cleanup(func() { remove(t, "t-labels") })
	must(t, "create", "-s", "static,label="+label, "-f", "container_ro_file_t", "t-labels", "--", "/bin/true")
	if got := strings.TrimSpace(shell(t, "stat -c %C "+contentDir+
		"/t-labels")); got != "system_u:object_r:container_ro_file_t:s0:c5,c6" {
		t.Errorf("the content has %s", got)
	}
	must(t, "delete", "t-labels")
	must(t, "create", "-s", "static,label="+before, "t-labels", "--", "/bin/sleep", "1000")
	must(t, "start", "t-labels")
	if got := inside(t, "t-labels", "cat /proc/1/attr/current /proc/self/attr/current | tr '\\0' '\\n'"); got != label+
		"\n"+
		label+"\n" {
		t.Errorf("first process and command have %q, want %s", got, label)
	}
}

// The module goes when no content has its labels any more, and a sandbox is refused without it in words that help.
func TestSELinuxModule(t *testing.T) {
	rig.On(t, rig.Module)
	rig.Needs(t, rig.SELinux)
	module := func(verb string) outcome { return runCommand(t, exec.Command("../../packaging/selinux/module", verb)) }
	removed := false
	t.Cleanup(func() {
		if removed {
			module("install")
		}
	})
	elsewhere := t.TempDir()
	create(t, "t-module", "-p", elsewhere, "-u", "apache2")
	if o := module("uninstall"); o.status != 1 || !strings.Contains(o.stderr,
		elsewhere+"/t-module has the labels of this module") {
		t.Errorf("uninstall while content has the labels: %+v", o)
	}
	must(t, "delete", "t-module")
	if o := module("uninstall"); o.status != 0 || !strings.Contains(o.stdout, "removed module") {
		t.Fatalf("uninstall: %+v", o)
	}
	removed = true
	if o := run(t, "create", "t-module", "-u", "apache2"); o.status != 1 ||
		!strings.Contains(o.stderr, "make install-selinux") {
		t.Errorf("create without the module: %+v", o)
	}
	config := configDir + "/t-module.sandbox"
	t.Cleanup(func() { os.Remove(config) })
	shell(t, "printf '[sandbox]\\nformat=1\\nname=t-module\\nunit=apache2.service\\n' >"+config)
	if o := run(t, "check", "t-module"); o.status != 1 || !strings.Contains(o.stdout, "make install-selinux") {
		t.Errorf("check without the module: %+v", o)
	}
	shell(t, "rm "+config)
	if o := module("uninstall"); o.status != 0 || !strings.Contains(o.stdout, "nothing to do") {
		t.Errorf("uninstall again: %+v", o)
	}
	if o := module("install"); o.status != 0 {
		t.Fatalf("install: %+v", o)
	}
	removed = false
	must(t, "create", "t-module", "-u", "apache2")
}

// triedAttempt is a line of testdata/attempts.
type triedAttempt struct{ command, inside, escaped, denial string }

func readAttempts(t *testing.T) []triedAttempt {
	t.Helper()
	data, err := os.ReadFile("testdata/attempts")
	if err != nil {
		t.Fatal(err)
	}
	var list []triedAttempt
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		column := strings.Split(line, " | ")
		if len(column) != 4 {
			t.Fatalf("testdata/attempts: %q has %d columns of 4", line, len(column))
		}
		for i := range column {
			column[i] = strings.TrimSpace(column[i])
		}
		list = append(list, triedAttempt{column[0], column[1], column[2], column[3]})
	}
	return list
}

// Root of one container reaches neither another container nor the host: not inside, not in a user namespace there, and
// not with all of the host's namespaces and capabilities, where only the label is left.
func TestSELinuxAttempts(t *testing.T) {
	rig.On(t, rig.Attempts, rig.Container)
	rig.Needs(t, rig.SELinux)
	// The journal is asked for whole seconds, and an earlier test had denials, which may be on their way.
	time.Sleep(2 * time.Second)
	begun := time.Now()
	const own, other = "s0:c1,c2", "s0:c3,c4"
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	shell(t, "install -m 755 "+self+" "+attemptProgram+" && restorecon "+attemptProgram+" && mkdir -p /srv/other")
	t.Cleanup(func() { os.Remove(attemptProgram); _ = os.Remove("/srv/other") })
	create(t, "t-other", "-C", "-u", "apache2", "-l", other)
	tree := contentDir + "/t-other"
	create(t, "t-own", "-C", "-u", "apache2", "-l", own, "-m", "host-bind:/srv/other="+tree, "--system-calls", "all",
		"--idmap", "none", "--show", "/usr/local")
	edit(t, "t-own", "[hardening]\n", "[hardening]\nuser-namespaces=yes\n") // The label is to hold alone.
	shell(t, "echo secret >"+tree+"/var/www/html/secret; mount --bind "+tree+" /srv/other; "+
		"echo secret >/dev/shm/virt-sandbox-other; chcon -t container_file_t -l "+other+" /dev/shm/virt-sandbox-other; "+
		"cd "+contentDir+"/t-own/var/www/html && echo secret >badcontent && chcon -l "+other+" badcontent")
	t.Cleanup(func() { shell(t, "umount /srv/other; rm -f /dev/shm/virt-sandbox-other") })
	must(t, "start", "t-other")
	must(t, "start", "t-own")
	checkDenials(t, begun)

	theirs := startHolder(t, "runcon", "system_u:system_r:virt_sandbox_t:"+other, attemptProgram, "hold")
	hosts := startHolder(t, attemptProgram, "hold-key")
	environment := []string{
		"OTHER=/srv/other", fmt.Sprintf("OTHER_PID=%d", theirs.PID), fmt.Sprintf("OTHER_SHM=%d", theirs.SharedMemory),
		fmt.Sprintf("OTHER_KEY=%d", theirs.Key), fmt.Sprintf("HOST_PID=%d", hosts.PID), fmt.Sprintf("HOST_KEY=%d", hosts.Key),
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	}
	set := append([]string{"env", "-i"}, environment...)
	attempts := readAttempts(t)
	inside := append([]string{program, "execute", "t-own", "--"}, set...)
	for _, way := range []struct {
		name string
		args []string
		want func(triedAttempt) (refusal, denial string)
	}{
		{"inside", append(inside, attemptProgram, "all"), func(a triedAttempt) (string, string) {
			if a.escaped != "-" {
				return a.inside, "~" // Other layers come first.
			}
			return a.inside, a.denial
		}},
		{"in a user namespace inside", append(inside, "unshare", "--user", attemptProgram, "all"),
			func(a triedAttempt) (string, string) {
				if a.inside == "-" {
					return "-", "~"
				}
				return "", "~"
			}},
		{"escaped", append(set, "runcon", "system_u:system_r:virt_sandbox_t:"+own, attemptProgram, "all"),
			func(a triedAttempt) (string, string) { return a.escaped, a.denial }},
	} {
		t.Run(way.name, func(t *testing.T) { tryAll(t, attempts, way.args, way.want) })
	}
	if got := shell(t, "cat "+tree+"/var/www/html/secret; kill -0 "+fmt.Sprint(theirs.PID)+
		" && echo alive"); got != "secret\nalive\n" {
		t.Errorf("after all attempts: %q", got)
	}
}

// startHolder starts an attempt program that holds things until the test ends.
func startHolder(t *testing.T, args ...string) held {
	t.Helper()
	command := exec.Command(args[0], args[1:]...)
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	command.Stderr = &stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); _ = command.Wait() })
	var h held
	if err := json.NewDecoder(stdout).Decode(&h); err != nil {
		_ = command.Wait()
		t.Fatalf("%q: %v: %s", args, err, stderr.String())
	}
	return h
}

// tryAll makes the attempts and checks that each is refused with the message wanted ("": any; "-": it is not tried),
// and that the denial wanted is logged ("~": none need be).
func tryAll(t *testing.T, attempts []triedAttempt, program []string, want func(triedAttempt) (refusal, denial string)) {
	t.Helper()
	var list strings.Builder
	var tried []triedAttempt
	for _, a := range attempts {
		if refusal, _ := want(a); refusal != "-" {
			list.WriteString(a.command + "\n")
			tried = append(tried, a)
		}
	}
	begun := time.Now()
	command := exec.Command(program[0], program[1:]...)
	command.Stdin = strings.NewReader(list.String())
	o := runCommand(t, command)
	if o.status != 0 {
		t.Fatalf("%q: %+v", program, o)
	}
	results := json.NewDecoder(strings.NewReader(o.stdout))
	logged := denials(t, begun)
	for _, a := range tried {
		var r attemptResult
		if err := results.Decode(&r); err != nil || r.Command != a.command {
			t.Fatalf("result of %q: %+v, %v", a.command, r, err)
		}
		refusal, denied := want(a)
		if r.Status == 0 || !strings.Contains(r.Output, refusal) {
			t.Errorf("%s\nstatus %d, want a failure that says %q: %s", r.Command, r.Status, refusal, r.Output)
		}
		field := strings.Fields(denied)
		if denied != "~" && !slices.ContainsFunc(logged, func(d denial) bool {
			return slices.Contains(d.permissions, field[0]) && d.class == field[1] &&
				(len(field) < 3 || d.targetType() == field[2])
		}) {
			t.Errorf("%s\nno denial of %s is logged", r.Command, denied)
		}
	}
}
