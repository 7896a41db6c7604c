package integration

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// How often a verb is killed: of the plain kind of sandbox, and of others.
const (
	killings      = 20
	otherKillings = 8
)

// A verb that is killed at any moment leaves nothing that delete, or the verb again, does not clean up.
func TestKilled(t *testing.T) {
	for _, options := range []struct {
		kind  string
		given []string
		times int
		verb  string // the only one that is another with these; empty for all
	}{
		{"", nil, killings, ""},
		{" with ids of its own", []string{"--idmap", "auto"}, otherKillings, "start"},
		{" with an image", []string{"-i", "100"}, otherKillings, ""},
	} {
		create, start := slices.Concat([]string{"create", "-C", "-u", "apache2"}, options.given, []string{"t-kill"}), []string{"start", "t-kill"}
		for _, verb := range []struct {
			setUp [][]string
			args  []string
			again bool // whether the verb is always run again before delete; of others every other time
		}{
			{nil, create, false},
			{[][]string{create}, start, false},
			{[][]string{create, start}, []string{"stop", "t-kill"}, true},
			{[][]string{create}, []string{"delete", "t-kill"}, true},
		} {
			if options.verb != "" && options.verb != verb.args[0] {
				continue
			}
			t.Run(verb.args[0]+options.kind, func(t *testing.T) {
				t.Cleanup(func() { remove(t, "t-kill") })
				for i := range options.times {
					before := snapshot(t)
					for _, args := range verb.setUp {
						must(t, args...)
					}
					moment := killAtRandom(t, verb.args)
					if verb.again || i%2 == 1 {
						again(t, verb.args, moment)
					}
					finish(t, moment)
					sameAs(t, before, "killed after "+moment.String())
					if t.Failed() {
						return
					}
				}
			})
		}
	}
}

// killAtRandom kills a verb, and every other time the helper that it started too, at a moment within its usual time.
func killAtRandom(t *testing.T, args []string) time.Duration {
	t.Helper()
	usual := map[string]time.Duration{"create": 250 * time.Millisecond, "start": 600 * time.Millisecond, "stop": 500 * time.Millisecond, "delete": 60 * time.Millisecond}[args[0]]
	if slices.Contains(args, "-i") {
		usual *= 2
	}
	moment := killWithin(t, usual, nil, args...)
	if moment%2 == 0 {
		for _, line := range processes() {
			fields := strings.Fields(line)
			if pid, err := strconv.Atoi(fields[1]); err == nil && strings.HasSuffix(fields[2], "virt-sandbox-service-helper") {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
	return moment
}

// killWithin kills a verb at a random moment of its usual time, and what others kills right before that, if it is given.
func killWithin(t *testing.T, usual time.Duration, others func(), args ...string) time.Duration {
	t.Helper()
	moment := time.Duration(rand.Int64N(int64(usual)))
	command := exec.Command(program, args...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(moment)
	if others != nil {
		others()
	}
	_ = command.Process.Kill()
	_ = command.Wait()
	return moment
}

// again runs a killed verb once more. It succeeds, unless it had come to its end before it was killed.
func again(t *testing.T, args []string, moment time.Duration) {
	t.Helper()
	o := run(t, args...)
	done := strings.Contains(o.stderr, "exists already") || strings.Contains(o.stderr, "is already running") || strings.Contains(o.stderr, "no such sandbox")
	if o.status != 0 && !done {
		t.Errorf("killed after %v, %v again: exit status %d, %s", moment, args, o.status, o.stderr)
	}
}

// finish deletes the sandbox as a person would: told that it is running, they stop it first.
func finish(t *testing.T, moment time.Duration) {
	t.Helper()
	o := run(t, "delete", "t-kill")
	if o.status != 0 && strings.Contains(o.stderr, "is running") {
		must(t, "stop", "t-kill")
		o = run(t, "delete", "t-kill")
	}
	if o.status != 0 && !strings.Contains(o.stderr, "no such sandbox") {
		t.Errorf("killed after %v, delete: exit status %d, %s", moment, o.status, o.stderr)
	}
}

// What a write of the unit file left that was killed goes with the sandbox, or what is left of one.
func TestUnitFileUnfinished(t *testing.T) {
	before := snapshot(t)
	for _, whole := range []bool{true, false} {
		create(t, "t-kill", "-u", "apache2")
		shell(t, "touch /etc/systemd/system/.apache2@t-kill.service123")
		if !whole {
			shell(t, "rm "+configDir+"/t-kill.sandbox")
		}
		must(t, "delete", "t-kill")
		sameAs(t, before, "after delete")
	}
}

// A container whose monitor was killed goes on and is taken over by the next start; one that powers itself off is
// noticed.
func TestMonitorKilled(t *testing.T) {
	before := snapshot(t)
	create(t, "t-orphan", "-C", "-u", "apache2")
	must(t, "start", "t-orphan")
	boot := inside(t, "t-orphan", "stat -c %Y /proc/1; systemctl show -p UserspaceTimestampMonotonic")
	for _, line := range processes() {
		if fields := strings.Fields(line); strings.HasSuffix(fields[2], "virt-sandbox-service-monitor") {
			shell(t, "kill -9 "+fields[1])
		}
	}
	must(t, "start", "t-orphan")
	if now := inside(t, "t-orphan", "stat -c %Y /proc/1; systemctl show -p UserspaceTimestampMonotonic"); now != boot {
		t.Errorf("the container was started anew: %s then %s", boot, now)
	}
	if o := run(t, "start", "t-orphan"); o.status != 0 || !strings.Contains(o.stderr, "already running") {
		t.Errorf("start of a running container: %+v", o)
	}
	run(t, "execute", "t-orphan", "--", "systemctl", "poweroff")
	wait(t, "the container's end", func() bool { return strings.Contains(must(t, "list"), "stopped") })
	must(t, "start", "t-orphan")
	must(t, "stop", "t-orphan")
	must(t, "delete", "t-orphan")
	sameAs(t, before, "after all that")
}

// Two creates of one name at once: one wins, the other is refused, and the winner's content is whole.
func TestCreateRace(t *testing.T) {
	before := snapshot(t)
	t.Cleanup(func() { remove(t, "t-race") })
	outcomes := make(chan error, 4)
	for range cap(outcomes) {
		go func() { outcomes <- exec.Command(program, "create", "-C", "-u", "apache2", "t-race").Run() }()
	}
	won := 0
	for range cap(outcomes) {
		if <-outcomes == nil {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d of %d creates of one name succeeded", won, cap(outcomes))
	}
	if _, err := os.Stat(contentDir + "/t-race/.virt-sandbox/manifest"); err != nil {
		t.Error(err)
	}
	must(t, "delete", "t-race")
	sameAs(t, before, "after delete")
}
