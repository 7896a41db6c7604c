// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// manyFiles is how many files the sandboxes have that are copied.
const manyFiles = 20_000

// ofOne are the paths of a content that a clone does not get from its source, or that change when it is made.
var ofOne = []string{"/etc", "/etc/hostname", "/etc/hosts", "/etc/machine-id", "/var/log/journal", "/var/log/journal/*",
	"/var/lib/systemd/*", "/var/lib/dbus", "/var/lib/dbus/machine-id"}

// A clone of a stopped sandbox is its like in all but what identifies it, takes next to no space for holes, and both
// run at once, each with its own name, pages, journal and level.
func TestCloneStopped(t *testing.T) {
	rig.On(t, rig.Native)
	before := snapshot(t)
	create(t, "t-source", "-C", "-u", "apache2")
	source, clone := contentDir+"/t-source", contentDir+"/t-clone"
	fillTree(t, source+"/var/www", manyFiles)
	config := configDir + "/t-source.sandbox"
	shell(t, "sed -i '1i # Ask Joe before you change this.' "+config)
	text, whole := shell(t, "cat "+config), tree(t, source, "/")
	t.Cleanup(func() { remove(t, "t-clone") })
	begun := time.Now()
	out := must(t, "clone", "t-source", "t-clone")
	t.Logf("cloned %d files in %v", manyFiles, time.Since(begun))
	if want := "Created sandbox container dir " + clone + "\nCreated sandbox config " + configDir + "/t-clone.sandbox\n" +
		"Created unit file /etc/systemd/system/apache2@t-clone.service\n"; out != want {
		t.Errorf("clone says %q", out)
	}
	sameTree(t, "source", tree(t, source, "/"), whole)
	if now := shell(t, "cat "+config); now != text {
		t.Errorf("the config of the source became %s", now)
	}
	sameTree(t, "clone", tree(t, clone, "/etc", "/var", "/home", "/root", "/srv"),
		tree(t, source, "/etc", "/var", "/home", "/root", "/srv"), ofOne...)
	isSparse(t, clone+"/var/www/sparse")
	if copied := shell(t, "cat "+configDir+"/t-clone.sandbox"); !strings.HasPrefix(copied, "# Ask Joe") ||
		strings.Contains(copied, "t-source") {
		t.Errorf("the config of the clone is %s", copied)
	}
	for _, key := range []string{"uuid", "machine-id", "level"} {
		if a, b := valueOf(t, "t-source", key), valueOf(t, "t-clone", key); a == b || a == "" || b == "" {
			t.Errorf("%s is %q and %q", key, a, b)
		}
	}
	if got := shell(t, "cat "+clone+"/etc/hosts"); got != "127.0.0.1 localhost t-clone\n::1 localhost ip6-localhost "+
		"ip6-loopback t-clone\n" {
		t.Errorf("hosts of the clone: %q", got)
	}
	if o := run(t, "check", "t-clone"); o.status != 0 || o.stdout != "" {
		t.Errorf("check of the clone: %+v", o)
	}
	ids := make(map[string]string)
	for _, name := range []string{"t-source", "t-clone"} {
		must(t, "start", name)
		inside(t, name, "echo page of "+name+" >/var/www/html/index.html; logger -t t-logger in "+name+"; journalctl --sync")
		ids[name] = strings.TrimSpace(inside(t, name, "cat /etc/machine-id"))
	}
	for name, id := range ids {
		if got := inside(t, name, "hostname; curl -s http://localhost/"); got != name+"\npage of "+name+"\n" {
			t.Errorf("%s says %q", name, got)
		}
		if id != valueOf(t, name, "machine-id") {
			t.Errorf("machine-id of %s is %s", name, id)
		}
		if got := shell(t, "journalctl -m _MACHINE_ID="+id+" -t t-logger -o cat"); got != "in "+name+"\n" {
			t.Errorf("the journal of %s says %q", name, got)
		}
	}
	for _, name := range []string{"t-source", "t-clone"} {
		must(t, "stop", name)
		must(t, "delete", name)
	}
	sameAs(t, before, "after both were deleted")
}

// valueOf reads a key of a config, or of the state beside it.
func valueOf(t *testing.T, name, key string) string {
	t.Helper()
	for _, file := range []string{configDir + "/" + name + ".sandbox", stateDir + "/" + name + "/state"} {
		if value := strings.TrimSpace(shell(t, "sed -n 's/^"+key+"=//p' "+file+" 2>/dev/null || :")); value != "" {
			return value
		}
	}
	return ""
}

// A running sandbox is cloned only where that is allowed; it stands still meanwhile and runs on.
func TestCloneRunning(t *testing.T) {
	rig.On(t, rig.Native)
	before := snapshot(t)
	create(t, "t-source", "-C", "-u", "apache2")
	source, clone := contentDir+"/t-source", contentDir+"/t-clone"
	fillTree(t, source+"/var/www", manyFiles)
	must(t, "start", "t-source")
	refused(t, run(t, "clone", "t-source", "t-clone"), "--freeze")
	// Each turn writes two files; a copy between the two would have them differ.
	ticking := exec.Command(program, "execute", "t-source", "--", "sh", "-c",
		"cd /var/lib; while :; do n=$((n+1)); echo $n >a.new; mv a.new a; echo $n >b.new; mv b.new b; done")
	if err := ticking.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ticking.Process.Kill(); _ = ticking.Wait() })
	wait(t, "the first turn", func() bool { _, err := os.Stat(source + "/var/lib/b"); return err == nil })
	t.Cleanup(func() { remove(t, "t-clone") })
	begun := time.Now()
	must(t, "clone", "--freeze", "t-source", "t-clone")
	t.Logf("cloned %d files in %v", manyFiles, time.Since(begun))
	var a, b int
	fmt.Sscan(shell(t, "cat "+clone+"/var/lib/a"), &a)
	fmt.Sscan(shell(t, "cat "+clone+"/var/lib/b"), &b)
	if a-b != 0 && a-b != 1 || b == 0 {
		t.Errorf("turns %d and %d in the copy", a, b)
	}
	now := shell(t, "cat "+source+"/var/lib/b")
	wait(t, "the source running on", func() bool { return shell(t, "cat "+source+"/var/lib/b") != now })
	sameTree(t, "clone", tree(t, clone, "/var/www", "/etc/apache2"), tree(t, source, "/var/www", "/etc/apache2"))
	isSparse(t, clone+"/var/www/sparse")
	must(t, "start", "t-clone")
	if got := inside(t, "t-clone", "hostname; systemctl is-active apache2"); got != "t-clone\nactive\n" {
		t.Errorf("the clone says %q", got)
	}
	_ = ticking.Process.Kill()
	_ = ticking.Wait()
	for _, name := range []string{"t-clone", "t-source"} {
		must(t, "stop", name)
		must(t, "delete", name)
	}
	sameAs(t, before, "after both were deleted")
}

// A template's instance that is named after the source is the clone's in the clone.
func TestCloneTemplate(t *testing.T) {
	rig.On(t, rig.Native)
	const unit = "/etc/systemd/system/vst-template@.service"
	text := "[Service]\nExecStart=/bin/sleep infinity\nEnvironment=WHO=%i\nStateDirectory=vst-template\n"
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(unit) })
	create(t, "t-source", "-C", "-P", "coreutils", "-u", "vst-template@.service")
	t.Cleanup(func() { remove(t, "t-clone") })
	if list := reported(t, 1, "clone", "--json", "t-none", "t-clone"); len(list) != 1 || list[0].Name != "t-clone" ||
		!strings.Contains(list[0].Error, "no such sandbox") {
		t.Errorf("clone of none: %+v", list)
	}
	if list := reported(t, 0, "clone", "--json", "-p", contentDir, "t-source", "t-clone"); len(list) != 1 ||
		list[0].Name != "t-clone" || list[0].Config != configDir+"/t-clone.sandbox" || list[0].Unit == "" {
		t.Errorf("clone: %+v", list)
	}
	must(t, "start", "t-clone")
	if got := inside(t, "t-clone", "systemctl show -P Environment vst-template@t-clone; systemctl is-active "+
		"vst-template@t-source || :"); got != "WHO=t-clone\ninactive\n" {
		t.Errorf("the clone runs %q", got)
	}
	if left := shell(t, "find "+contentDir+"/t-clone -name '*t-source*'; grep -rl t-source "+contentDir+"/t-clone "+
		configDir+"/t-clone.sandbox || :"); left != "" {
		t.Errorf("the source is named in %s", left)
	}
}

// What cannot be cloned is refused in one line, and nothing is made.
func TestCloneRefusals(t *testing.T) {
	rig.On(t, rig.Native)
	for name, level := range map[string]string{"t-source": "s0:c901,c902", "t-other": "s0:c903,c904"} {
		t.Cleanup(func() { remove(t, name) })
		must(t, "create", "-l", level, name, "--", "/bin/true")
	}
	file := configDir + "/t-bare.sandbox"
	if err := os.WriteFile(file, []byte("[sandbox]\nformat=1\nname=t-bare\n[command]\nargument=/bin/true\n"),
		0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(file) })
	before := snapshot(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"t-source"}, "name the SOURCE and the new sandbox"},
		{[]string{"t-source", "t-source"}, "choose another name"},
		{[]string{"t-source", "t-other"}, "exists already"},
		{[]string{"t-none", "t-clone"}, "no such sandbox"},
		{[]string{"t-source", "a/b"}, "name"},
		{[]string{"../t-source", "t-clone"}, "name"},
		{[]string{"t-bare", "t-clone"}, "start it first"},
		{[]string{"-l", "s0:c901,c902", "t-source", "t-clone"}, "-l s0:c901,c902 is not kept apart from " +
			"s0:c901,c902, which " +
			"sandbox t-source has"},
		{[]string{"-l", "s0:c903", "t-source", "t-clone"}, "which sandbox t-other has"},
		{[]string{"-l", "s0", "t-source", "t-clone"}, "--share-level"},
		{[]string{"-l", "s0:c1,c2", "-s", "static,label=u:r:t:s0:c1,c2", "t-source", "t-clone"}, "exclude each other"},
		{[]string{"-s", "dynamic", "t-source", "t-clone"}, "static"},
		{[]string{"-p", "/usr/share", "t-source", "t-clone"}, "/usr"},
	} {
		refused(t, run(t, append([]string{"clone"}, c.args...)...), c.want)
	}
	sameAs(t, before, "after the refusals")
}

// A clone that is killed at any moment leaves its source as it was and running, and can be run again or be deleted.
func TestCloneKilled(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-source", "-C", "-u", "apache2")
	source := contentDir + "/t-source"
	fillTree(t, source+"/var/www", 2000)
	must(t, "start", "t-source")
	want := tree(t, source, "/var/www", "/etc")
	before := snapshot(t)
	begun := time.Now()
	must(t, "clone", "--freeze", "t-source", "t-clone")
	usual := time.Since(begun)
	must(t, "delete", "t-clone")
	numbers := random(t)
	for i := range killings {
		var others func()
		if i%4 == 0 {
			// With it the process that would set the source free.
			others = func() { killGuards(t) }
		}
		moment := killWithin(t, numbers, usual, others, "clone", "--freeze", "t-source", "t-clone")
		if i%4 == 0 {
			killGuards(t)
		}
		if i%2 == 0 {
			again(t, []string{"clone", "--freeze", "t-source", "t-clone"}, moment, ends["clone"])
			sameTree(t, "clone", tree(t, contentDir+"/t-clone", "/var/www"), part(want, "/var/www"))
		}
		if o := run(t, "delete", "t-clone"); o.status != 0 && !strings.Contains(o.stderr, "no such sandbox") {
			t.Errorf("killed after %v, delete: %+v", moment, o)
		}
		isServed(t, "t-source", moment)
		sameAs(t, before, "killed after "+moment.String())
		sameTree(t, "source", tree(t, source, "/var/www", "/etc"), want)
		if t.Failed() {
			return
		}
	}
}

// The same of a source whose content is in an image that does not lie where create makes images; the clone's lies
// beside it.
func TestCloneKilledInImage(t *testing.T) {
	rig.On(t, rig.Native)
	images := t.TempDir()
	create(t, "t-source", "-C", "-u", "apache2", "-i", "200")
	shell(t, "mv "+imageDir+"/t-source.raw "+images+"/ && sed -i 's|^image=.*|image="+images+"/t-source.raw|' "+configDir+
		"/t-source.sandbox")
	before := snapshot(t)
	begun := time.Now()
	must(t, "clone", "t-source", "t-clone")
	usual := time.Since(begun)
	must(t, "delete", "t-clone")
	numbers := random(t)
	for range otherKillings {
		moment := killWithin(t, numbers, usual, nil, "clone", "t-source", "t-clone")
		if numbers.IntN(2) == 0 {
			again(t, []string{"clone", "t-source", "t-clone"}, moment, ends["clone"])
		}
		if o := run(t, "delete", "t-clone"); o.status != 0 && !strings.Contains(o.stderr, "no such sandbox") {
			t.Errorf("killed after %v, delete: %+v", moment, o)
		}
		// What was mounted of the source goes with the next verb that looks into it, which may tell of it.
		_ = run(t, "check", "t-source")
		must(t, "check", "t-source")
		if left := shell(t, "ls -A "+images); left != "t-source.raw\n" {
			t.Errorf("killed after %v: %s has %q", moment, images, left)
		}
		sameAs(t, before, "killed after "+moment.String())
		if t.Failed() {
			return
		}
	}
}

// A clone, export or import that is told to end leaves nothing, and its source running.
func TestCloneInterrupted(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-source", "-C", "-u", "apache2")
	fillTree(t, contentDir+"/t-source/var/www", 2000)
	archive := t.TempDir() + "/archive"
	must(t, "export", "t-source", archive)
	must(t, "start", "t-source")
	before := snapshot(t)
	for _, args := range [][]string{
		{"clone", "--freeze", "t-source", "t-clone"}, {"import", archive, "t-clone"},
		{"export", "--freeze", "t-source", t.TempDir() + "/other"},
	} {
		command := exec.Command(program, args...)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(150 * time.Millisecond)
		_ = command.Process.Signal(os.Interrupt)
		if err := command.Wait(); err == nil {
			t.Logf("%v was faster", args)
			_ = run(t, "delete", "t-clone")
		}
		isServed(t, "t-source", 0)
		sameAs(t, before, "interrupted "+args[0])
	}
	// Nobody takes what is written.
	stuck := exec.Command("sh", "-c", program+" export --freeze t-source & pid=$!; sleep 2; kill -TERM $pid; wait $pid")
	pipe, err := stuck.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	if err := stuck.Start(); err != nil {
		t.Fatal(err)
	}
	state, err := stuck.Process.Wait()
	if err != nil || state.ExitCode() != 1 {
		t.Errorf("an export that nobody takes: %v (%v)", state, err)
	}
	isServed(t, "t-source", 0)
}

// isServed fails the test unless a container answers within a moment.
func isServed(t *testing.T, name string, moment time.Duration) {
	t.Helper()
	command := exec.Command("timeout", "10", program, "execute", name, "--", "curl", "-sf", "-o", "/dev/null",
		"http://localhost/")
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("killed after %v, %s does not run on: %v %s", moment, name, err, out)
	}
}

// killGuards kills the processes that wait for the end of a copy.
func killGuards(t *testing.T) {
	t.Helper()
	for _, line := range processes() {
		fields := strings.Fields(line)
		if strings.HasSuffix(fields[2], "virt-sandbox-service-helper") && slices.Contains(fields, "thaw") &&
			fields[len(fields)-1] == "t-source" {
			shell(t, "kill -9 "+fields[1]+" || :")
		}
	}
}

// part gives what lies below a path.
func part(all map[string]string, top string) map[string]string {
	found := make(map[string]string)
	for p, text := range all {
		if p == top || strings.HasPrefix(p, top+string(filepath.Separator)) {
			found[p] = text
		}
	}
	return found
}
