// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// details are what status --json tells, by the keys that scripts use.
type details struct {
	Name, State, Health, Unit, Level, Label, Content, Error string

	Since     *time.Time
	Halted    bool
	Addresses []string
	Usage     struct {
		Memory, MemoryLimit *uint64 `json:"-"`
		CPU                 *float64
		PIDs                *uint64
		PIDsLimit           *uint64 `json:"pids_limit"`
	}
	InnerUnits []struct{ Unit, Active, Sub, Result string } `json:"inner_units"`
	Failed     []string
	LastError  string `json:"last_error"`
	EtcIsOld   bool   `json:"etc_is_old"`
}

func statusOf(t *testing.T, name string, status int) (d details, keys map[string]any) {
	t.Helper()
	o := run(t, "status", "--json", name)
	if o.status != status || o.stderr != "" {
		t.Fatalf("status --json %s: %+v", name, o)
	}
	if err := json.Unmarshal([]byte(o.stdout), &d); err != nil {
		t.Fatalf("status --json %s: %v", name, err)
	}
	if err := json.Unmarshal([]byte(o.stdout), &keys); err != nil {
		t.Fatal(err)
	}
	return d, keys
}

// Status tells how a sandbox is by its exit status, for a person, and for a script by keys that are always there.
func TestStatus(t *testing.T) {
	rig.On(t, rig.Native)
	const always = "addresses etc_is_old failed halted inner_units label last_error name since state usage"
	if o := run(t, "status", "t-none"); o.status != 4 || o.stdout != "" || !strings.Contains(o.stderr, "no such sandbox") {
		t.Errorf("of none: %+v", o)
	}
	create(t, "t-status", "-C", "-u", "apache2")
	d, down := statusOf(t, "t-status", 3)
	if d.State != "stopped" || d.Unit != "apache2@t-status.service" || d.Level == "" ||
		d.Content != contentDir+"/t-status" || d.Usage.PIDs != nil {
		t.Errorf("stopped: %+v", d)
	}
	begun := time.Now()
	must(t, "start", "t-status")
	d, up := statusOf(t, "t-status", 0)
	if d.State != "running" || d.Halted || d.Since == nil || d.Since.Before(begun.Add(-time.Second)) ||
		d.Since.After(time.Now()) {
		t.Errorf("running: %+v", d)
	}
	if len(d.InnerUnits) != 1 || d.InnerUnits[0].Unit != "apache2.service" || d.InnerUnits[0].Active != "active" ||
		d.InnerUnits[0].Sub != "running" {
		t.Errorf("units inside: %+v", d.InnerUnits)
	}
	if d.Usage.CPU == nil || *d.Usage.CPU <= 0 || d.Usage.PIDs == nil || *d.Usage.PIDs < 5 || *d.Usage.PIDsLimit != 4096 {
		t.Errorf("usage: %+v", d.Usage)
	}
	if memory, _ := up["usage"].(map[string]any)["memory"].(float64); memory < 1<<20 || memory > 1<<32 {
		t.Errorf("memory: %v", memory)
	}
	for _, keys := range []map[string]any{down, up} {
		for key := range strings.FieldsSeq(always) {
			if _, found := keys[key]; !found {
				t.Errorf("no key %s in %v", key, keys)
			}
		}
	}
	for _, want := range []string{"State: running since ", "Unit: apache2@t-status.service",
		"Inside: apache2.service active (running)", "Memory: ", "Tasks: "} {
		if got := must(t, "status", "t-status"); !strings.Contains(got, want) {
			t.Errorf("for a person:\n%swithout %q", got, want)
		}
	}
	inside(t, "t-status", "systemd-run --unit=t-fails --wait false || :; systemctl stop apache2")
	if d, _ := statusOf(t, "t-status", 0); !slices.Contains(d.Failed, "t-fails.service") ||
		d.InnerUnits[0].Active != "inactive" || d.State != "degraded" {
		t.Errorf("with failed units: %+v", d)
	}
	wait(t, "list to tell of a failure", func() bool {
		return strings.Contains(must(t, "list", "--state", "degraded"), "t-status")
	})
	if o := run(t, "check", "t-status"); o.status != 1 || !strings.Contains(o.stdout, "inside: t-fails.service") {
		t.Errorf("check with failed units: %+v", o)
	}
	needsRestart(t, "t-status")
	// Nor does a restart count, even one of a service that ends badly on the way.
	inside(t, "t-status", "systemctl reset-failed; mkdir -p /run/systemd/system/apache2.service.d; "+
		"printf '[Service]\nRestart=no\nExecStop=\nExecStop=/bin/kill -9 $MAINPID\n' "+
		">/run/systemd/system/apache2.service.d/t.conf; systemctl daemon-reload; systemctl start apache2; "+
		"systemctl restart apache2")
	if d, _ := statusOf(t, "t-status", 0); d.State != "running" {
		t.Errorf("after a restart inside: %+v", d)
	}
	// A unit of the sandbox that fails for good ends it.
	inside(t, "t-status", "kill -9 $(systemctl show -P MainPID apache2)")
	wait(t, "the end after a failure", func() bool { return run(t, "status", "t-status").status == 3 })
	log, err := os.ReadFile(contentDir + "/t-status/.virt-sandbox/console.log")
	if err != nil || !strings.Contains(string(log), "apache2.service inside failed (signal)\n") {
		t.Errorf("%v: %s", err, log)
	}
	must(t, "stop", "t-status")
	statusOf(t, "t-status", 3)
	if err := os.WriteFile(configDir+"/t-broken.sandbox", []byte("[sandbox]\nformat=1\nname=t-broken\ncolour=blue\n"),
		0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(configDir + "/t-broken.sandbox") })
	if d, _ := statusOf(t, "t-broken", 3); d.State != "unusable" || !strings.Contains(d.Error, "t-broken.sandbox:4:") {
		t.Errorf("of a config of no sense: %+v", d)
	}
}

// Logs are the same of a container that is up and of one that is down, and nothing in them or in the options does harm.
func TestLogs(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-logs", "-C", "-u", "apache2")
	if got := must(t, "logs", "t-logs"); got != "" {
		t.Errorf("before the first start: %q", got)
	}
	must(t, "start", "t-logs")
	inside(t, "t-logs", "logger -t t-logger first; logger -t t-logger $(printf 'a\\033[2Jb'); logger -p user.err -t "+
		"t-logger third; systemd-run --wait --unit=t-other echo of another; journalctl --sync")
	for _, state := range []string{"up", "down"} {
		if state == "down" {
			must(t, "stop", "t-logs")
		}
		for _, c := range []struct {
			args []string
			want string // a line
			not  string
		}{
			{nil, "t-logger", "\x1b"},
			{[]string{"-o", "cat"}, "first", "\x1b"},
			{[]string{"-o", "cat"}, "a?[2Jb", "\x1b"},
			{[]string{"-o", "cat", "-p", "err"}, "third", "first"},
			{[]string{"-o", "cat", "-u", "t-other"}, "of another", "first"},
			{[]string{"-o", "cat", "--since", "today", "--until", "now"}, "first", "\x1b"},
			{[]string{"-o", "json"}, `"MESSAGE":"first"`, "\x1b"},
		} {
			got := must(t, append(append([]string{"logs"}, c.args...), "t-logs")...)
			if !strings.Contains(got, c.want) || strings.Contains(got, c.not) {
				t.Errorf("%s, %v: without %q or with %q:\n%s", state, c.args, c.want, c.not, got)
			}
		}
		if got := must(t, "logs", "-n", "3", "t-logs"); strings.Count(got, "\n") != 3 {
			t.Errorf("%s: three lines are %q", state, got)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-n", "many"}, "-n"},
		{[]string{"-n", "-1"}, "-n"},
		{[]string{"-u", "a b"}, "-u"},
		{[]string{"-o", "export"}, "-o"},
	} {
		refused(t, run(t, append(append([]string{"logs"}, c.args...), "t-logs")...), c.want)
	}
	if o := run(t, "logs", "--since", "--file=/etc/passwd", "t-logs"); o.status != 1 ||
		!strings.Contains(o.stderr, "timestamp") {
		t.Errorf("an option for a time: %+v", o)
	}
	// Root inside can make the directory anything.
	journal := contentDir + "/t-logs/var/log/journal/" + valueOf(t, "t-logs", "machine-id")
	shell(t, "mv "+journal+" "+journal+".old && ln -s /var/log/journal "+journal)
	refused(t, run(t, "logs", "t-logs"), "no journal yet")
}

// Following ends with what ends the program, and shows what comes.
func TestLogsFollow(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-logs", "-C", "-u", "apache2")
	must(t, "start", "t-logs")
	file := t.TempDir() + "/out"
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	following := exec.Command(program, "logs", "-f", "-o", "cat", "t-logs")
	following.Stdout, following.Stderr = out, out
	if err := following.Start(); err != nil {
		t.Fatal(err)
	}
	wait(t, "a line that comes later", func() bool {
		inside(t, "t-logs", "logger -t t-logger come later")
		return strings.Contains(shell(t, "cat "+file), "come later")
	})
	_ = following.Process.Signal(os.Interrupt)
	if err := following.Wait(); err != nil {
		t.Errorf("after an interrupt: %v", err)
	}
	wait(t, "the end of journalctl inside", func() bool { return inside(t, "t-logs", "pgrep -x journalctl || :") == "" })
}

// The console of a command is kept where systemd does not run.
func TestLogsOfCommand(t *testing.T) {
	rig.On(t, rig.Native)
	t.Cleanup(func() { remove(t, "t-logs") })
	must(t, "create", "t-logs", "--", "/bin/sh", "-c",
		`for i in 1 2 3; do echo line $i; done; printf 'a\033[2Jb\n'; exec sleep 60`)
	must(t, "start", "t-logs")
	wait(t, "the console", func() bool { return strings.Contains(must(t, "logs", "t-logs"), "[2Jb") })
	if got := must(t, "logs", "-n", "2", "t-logs"); got != "line 3\na?[2Jb\n" {
		t.Errorf("the last two lines are %q", got)
	}
	refused(t, run(t, "logs", "-u", "apache2", "t-logs"), "no units")
}

// editor is a program that changes a config with sed.
func editor(t *testing.T, script string) string {
	t.Helper()
	file := t.TempDir() + "/editor"
	if err := os.WriteFile(file, []byte("#!/bin/sh\nexec sed -i "+script+` "$1"`+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

// Edit writes what is good as it was typed, and leaves the config as it is otherwise, with the text kept.
func TestEdit(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-edit", "-C", "-u", "apache2")
	before := snapshot(t)
	edit := func(script string) outcome {
		command := exec.Command(program, "edit", "t-edit")
		command.Env = append(os.Environ(), "VISUAL=", "EDITOR="+editor(t, script))
		return runCommand(t, command)
	}
	file := configDir + "/t-edit.sandbox"
	if o := edit(`-e '1i # A remark.' -e 's/^pids=.*/pids=77/'`); o.status != 0 || o.stderr != "" {
		t.Errorf("a good one: %+v", o)
	}
	good := shell(t, "cat "+file)
	if !strings.HasPrefix(good, "# A remark.\n") || !strings.Contains(good, "\npids=77\n") {
		t.Errorf("the config is\n%s", good)
	}
	if o := edit(`-e ''`); o.status != 0 || !strings.Contains(o.stderr, "nothing was changed") {
		t.Errorf("nothing: %+v", o)
	}
	for _, c := range []struct{ script, want string }{
		{`'s/^pids=.*/pids=many/'`, "\"many\" is not a number of processes"},
		{`'$a colour=blue'`, "unknown key"},
		{`'s/^name=.*/name=t-other/'`, "name"},
		{`'s/^name=.*/&\nuuid=01234567-89ab-4def-8123-456789abcdef/'`, "uuid= cannot be changed"},
		{`'s/^name=.*/&\nmachine-id=01234567012345670123456701234567/'`, "machine-id= cannot be changed"},
		{`'s/^name=.*/&\nstate=deleting/'`, "state= cannot be changed"},
	} {
		o := edit(c.script)
		refused(t, o, c.want)
		if now := shell(t, "cat "+file); now != good {
			t.Errorf("%s: the config became\n%s", c.script, now)
		}
		_, kept, found := strings.Cut(strings.TrimSpace(o.stderr), "your text is in ")
		if info, err := os.Stat(kept); !found || err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: the text is not kept: %s", c.script, o.stderr)
			continue
		}
		os.RemoveAll(kept[:strings.LastIndexByte(kept, '/')])
	}
	if o := edit(`'s/^pids=.*/pids=many/'`); !strings.Contains(o.stderr, "t-edit.sandbox:") {
		t.Errorf("no file and line in %q", o.stderr)
	} else {
		_, kept, _ := strings.Cut(strings.TrimSpace(o.stderr), "your text is in ")
		os.RemoveAll(kept[:strings.LastIndexByte(kept, '/')])
	}
	shell(t, "sed -i 's/^pids=.*/pids=many/' "+file)
	if o := edit(`'s/^pids=.*/pids=78/'`); o.status != 0 || !strings.Contains(shell(t, "cat "+file), "\npids=78\n") {
		t.Errorf("a repair: %+v", o)
	}
	command := exec.Command(program, "edit", "t-edit")
	command.Env = append(os.Environ(), "VISUAL=/no/such/editor")
	refused(t, runCommand(t, command), "/no/such/editor")
	refused(t, run(t, "edit", "t-none"), "no such sandbox")
	sameAs(t, before, "after the edits")
}

// Reload makes a service read its files anew; what cannot be reloaded is told in one line.
func TestReload(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-reload", "-C", "-u", "apache2")
	refused(t, run(t, "reload", "t-reload"), "is not running")
	must(t, "start", "t-reload")
	inside(t, "t-reload", "echo 'Redirect /moved /elsewhere' >/etc/apache2/conf-enabled/moved.conf")
	status := "curl -s -o /dev/null -w '%{http_code}' http://localhost/moved"
	if got := inside(t, "t-reload", status); got != "404" {
		t.Fatalf("before: %s", got)
	}
	must(t, "reload", "-u", "apache2", "t-reload")
	wait(t, "the new configuration", func() bool { return inside(t, "t-reload", status) == "302" })
	must(t, "reload", "t-reload")
	refused(t, run(t, "reload", "-u", "dbus.socket", "t-reload"), "dbus.socket inside has no ExecReload=; restart it")
	refused(t, run(t, "reload", "-u", "no-such", "t-reload"), "no-such.service inside is not-found")
	refused(t, run(t, "reload", "-u", "a b", "t-reload"), "-u")
	inside(t, "t-reload", "systemctl stop apache2")
	refused(t, run(t, "reload", "-u", "apache2", "t-reload"), "apache2.service inside is inactive")
	t.Cleanup(func() { remove(t, "t-command") })
	must(t, "create", "t-command", "--", "/bin/sleep", "60")
	refused(t, run(t, "reload", "t-command"), "cannot be reloaded")
}

// needsRestart has a running sandbox execute a file of the host, and the host replace it.
func needsRestart(t *testing.T, name string) {
	t.Helper()
	const file = "/usr/lib/t-stale"
	shell(t, "cp /bin/sleep "+file)
	t.Cleanup(func() { os.Remove(file) })
	inside(t, name, "systemd-run --quiet --unit=t-stale "+file+" 1000")
	if o := run(t, "needs-restart", name); o.status != 0 || o.stdout+o.stderr != "" {
		t.Errorf("of one that is as the host: %+v", o)
	}
	shell(t, "cp /bin/sleep "+file+".new && mv "+file+".new "+file)
	var reports []struct {
		Name      string
		Processes []struct {
			Name, Unit string
			Files      []string
		}
	}
	o := run(t, "needs-restart", "--all", "--json")
	if err := json.Unmarshal([]byte(o.stdout), &reports); err != nil || o.status != 1 || len(reports) != 1 ||
		len(reports[0].Processes) != 1 || reports[0].Processes[0].Unit != "t-stale.service" ||
		!slices.Equal(reports[0].Processes[0].Files, []string{file}) {
		t.Errorf("of one that is older than the host: %v, %+v", err, o)
	}
	// The unit is not one of the sandbox, so that all is restarted, and it is gone.
	o = run(t, "needs-restart", "--restart", name)
	if o.status != 0 || !strings.Contains(o.stderr, "Restarted "+name) || !strings.Contains(o.stdout, file) {
		t.Errorf("--restart: %+v", o)
	}
	if o := run(t, "needs-restart", name); o.status != 0 || o.stdout != "" {
		t.Errorf("after that: %+v", o)
	}
}
