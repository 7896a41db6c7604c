// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

const monitored = "apache2@t-watched.service"

// Whenever the process that watches a container is killed, the unit ends as it would have without that, with nothing
// left of the container where it is down, and the next start works.
func TestSystemdWatcherKilledAtMoments(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	before := snapshot(t)
	create(t, "t-watched", "-C", "-u", "apache2")
	const run = "/run/virt-sandbox/t-watched/"
	phase := func(want string) func() bool {
		return func() bool { return says(run+"state.json", `"phase":"`+want+`"`) }
	}
	noted := func(file string) func() bool {
		return func() bool { _, err := os.Stat(run + file); return err == nil }
	}
	for _, c := range []struct {
		moment  string
		begin   func(t *testing.T) // what is under way
		stopped bool               // whether the watcher stands still meanwhile, so that it cannot hear of it
		is      func() bool        // whether the moment has come
		config  string             // in [sandbox]
		want    string             // what becomes of the unit
		anew    bool               // whether it is another container
		says    string             // the journal of the unit
	}{
		// Who waits for the start is told that it failed.
		{moment: "while it starts", begin: func(t *testing.T) { systemctl(t, "stop", monitored); startsUnit(t) },
			is: phase("starting"), want: "failed"},
		{moment: "while it runs", is: phase("ready"), want: "active", says: "the next one takes it over"},
		{moment: "before it hears of a failure", begin: failsInside, stopped: true, is: heardInside(t), want: "failed",
			says: "apache2.service inside failed (signal)"},
		{moment: "when it has heard of a failure", begin: failsInside, is: noted("failed"), want: "failed",
			says: "apache2.service: Failed with result 'signal'"},
		{moment: "when a failure is to restart it", begin: failsInside, is: noted("failed"),
			config: "on-failure=restart", want: "active", anew: true},
		{moment: "while it shuts down from inside", begin: endsInside("poweroff"), is: noted("told"), want: "down"},
		{moment: "while it reboots from inside", begin: endsInside("reboot"), is: noted("told"), want: "active",
			anew: true},
		{moment: "while it reboots slowly", begin: rebootsSlowly, is: noted("told"), want: "active", anew: true},
		{moment: "while it is stopped", begin: func(t *testing.T) { systemctl(t, "stop", "--no-block", monitored) },
			is: phase("stopping"), want: "down"},
	} {
		t.Run(c.moment, func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					t.Log(status(t, monitored))
				}
			})
			if c.config != "" {
				edit(t, "t-watched", "restart=no", "restart=no\n"+c.config)
				defer func() {
					edit(t, "t-watched", c.config+"\n", "")
					systemctl(t, "daemon-reload")
				}()
				systemctl(t, "daemon-reload")
			}
			systemctl(t, "start", monitored)
			first := boot(t, "t-watched")
			watcher := property(t, monitored, "MainPID")
			if c.stopped {
				shell(t, "kill -STOP "+watcher)
			}
			if c.begin != nil {
				c.begin(t)
			}
			awaitMoment(t, c.moment, c.is)
			if now := property(t, monitored, "MainPID"); now != "0" {
				// It may have ended by itself in the meantime.
				runCommand(t, exec.Command("kill", "-KILL", now))
			}
			switch c.want {
			case "active":
				wait(t, "a unit that is up, with another watcher", func() bool {
					now := property(t, monitored, "MainPID")
					return property(t, monitored, "ActiveState") == "active" && now != watcher && now != "0"
				})
				if again := boot(t, "t-watched"); (again != first) != c.anew {
					t.Errorf("another container: %t", again != first)
				}
				systemctl(t, "stop", monitored)
			case "down":
				wait(t, "the end of the unit", func() bool {
					state := property(t, monitored, "ActiveState")
					return state == "failed" || state == "inactive"
				})
			default:
				becomes(t, monitored, c.want)
			}
			if text := status(t, monitored); !strings.Contains(text, c.says) {
				t.Errorf("without %q:\n%s", c.says, text)
			}
			nothingRuns(t, "t-watched")
			runCommand(t, exec.Command("systemctl", "reset-failed", monitored))
		})
	}
	must(t, "delete", "t-watched")
	sameAs(t, before, "after delete")
}

// A watcher that does not live, however often it is started, ends the container in the end: none is left that nobody
// watches.
func TestSystemdWatcherIsKilledAgain(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	before := snapshot(t)
	create(t, "t-watched", "-C", "-u", "apache2")
	systemctl(t, "start", monitored)
	killed := 0
	for end := time.Now().Add(time.Minute); property(t, monitored, "ActiveState") != "failed"; {
		if time.Now().After(end) {
			t.Fatalf("after %d kills the unit is %s", killed, property(t, monitored, "ActiveState"))
		}
		if watcher := property(t, monitored, "MainPID"); watcher != "0" && property(t, monitored, "SubState") == "running" {
			killed++
			runCommand(t, exec.Command("kill", "-KILL", watcher))
		}
	}
	if text := status(t, monitored); !strings.Contains(text, "ending t-watched: the process that watches it was killed") {
		t.Errorf("after %d kills:\n%s", killed, text)
	}
	nothingRuns(t, "t-watched")
	runCommand(t, exec.Command("systemctl", "reset-failed", monitored))
	systemctl(t, "start", monitored)
	systemctl(t, "stop", monitored)
	must(t, "delete", "t-watched")
	sameAs(t, before, "after delete")
}

// awaitMoment waits for a moment that may be short.
func awaitMoment(t *testing.T, moment string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the moment does not come: %s", moment)
		}
	}
}

func says(file, text string) bool {
	data, err := os.ReadFile(file)
	return err == nil && strings.Contains(string(data), text)
}

func startsUnit(t *testing.T) {
	t.Helper()
	systemctl(t, "start", "--no-block", monitored)
}

// failsInside has the unit of the container fail for good, in a second.
func failsInside(t *testing.T) {
	t.Helper()
	inside(t, "t-watched", "mkdir -p /run/systemd/system/apache2.service.d; printf '[Service]\nRestart=no\n' "+
		">/run/systemd/system/apache2.service.d/t.conf; systemctl daemon-reload; "+
		"systemd-run -q sh -c \"sleep 1; kill -9 $(systemctl show -P MainPID apache2)\"")
}

// heardInside tells whether a failure was told of inside: what does that has come to its end.
func heardInside(t *testing.T) func() bool {
	return func() bool {
		t.Helper()
		return inside(t, "t-watched", "systemctl is-failed apache2 || :; "+
			"systemctl show -P ActiveState virt-sandbox-failed@apache2.service.service") == "failed\ninactive\n"
	}
}

func endsInside(how string) func(t *testing.T) {
	return func(t *testing.T) {
		t.Helper()
		run(t, "execute", "t-watched", "--", "systemctl", "--no-block", how)
	}
}

// rebootsSlowly has the container tell late that the shutdown is a reboot.
func rebootsSlowly(t *testing.T) {
	t.Helper()
	inside(t, "t-watched", "mkdir -p /run/systemd/system/virt-sandbox-rebooting.service.d; "+
		"printf '[Service]\nExecStartPre=sleep 1\n' >/run/systemd/system/virt-sandbox-rebooting.service.d/t.conf; "+
		"systemctl daemon-reload")
	endsInside("reboot")(t)
}

// nothingRuns fails the test where something of a container is left at run time.
func nothingRuns(t *testing.T, name string) {
	t.Helper()
	if domains := shell(t, "virsh -q -c lxc:/// list --all --name"); strings.Contains(domains, name) {
		t.Errorf("libvirt has the domain:\n%s", domains)
	}
	if left, err := filepath.Glob("/run/virt-sandbox/*" + name + "*"); err != nil || len(left) > 0 {
		t.Errorf("there are %q, %v", left, err)
	}
	if mounts := shell(t, "grep -F "+name+" /proc/self/mounts || :"); mounts != "" {
		t.Errorf("there are mounts:\n%s", mounts)
	}
	if left := shell(t, "pgrep -a -f '[l]ibvirt_lxc --name "+name+" ' || :"); left != "" {
		t.Errorf("there are processes:\n%s", left)
	}
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && strings.Contains(path, name) && !strings.HasSuffix(path, ".service") {
			t.Errorf("there is a cgroup %s", path)
			return fs.SkipDir
		}
		return nil
	})
}
