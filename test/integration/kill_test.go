// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// How often a verb is killed: of the plain kind of sandbox, and of others. Each run has other moments, so few add up;
// VIRT_SANDBOX_TEST_KILLINGS asks for more at once.
var (
	killings      = killingsWanted()
	otherKillings = max(1, killings/2)
)

func killingsWanted() int {
	if n, err := strconv.Atoi(os.Getenv("VIRT_SANDBOX_TEST_KILLINGS")); err == nil {
		return n
	}
	return 2
}

// A verb that is killed at any moment leaves nothing that delete, or the verb again, does not clean up.
func TestKilled(t *testing.T) {
	rig.On(t, rig.Native)
	for _, options := range []struct {
		kind  string
		given []string
		times int
		verb  string // the only one that is another with these; empty for all
	}{
		{"", nil, killings, ""},
		{" with the host's ids", []string{"--idmap", "none"}, otherKillings, "start"},
		{" with an image", []string{"-i", "100"}, otherKillings, ""},
	} {
		create, start := slices.Concat([]string{"create", "-C", "-u", "apache2"}, options.given, []string{"t-kill"}),
			[]string{"start", "t-kill"}
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
				numbers := random(t)
				for range options.times {
					before := snapshot(t)
					for _, args := range verb.setUp {
						must(t, args...)
					}
					moment := killAtRandom(t, numbers, verb.args)
					if verb.again || numbers.IntN(2) == 0 {
						again(t, verb.args, moment, ends[verb.args[0]])
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

// killAtRandom kills a verb, and every other time the helper that it started for t-kill too, at a moment within its
// usual time.
func killAtRandom(t *testing.T, numbers *rand.Rand, args []string) time.Duration {
	t.Helper()
	usual := map[string]time.Duration{"create": 250 * time.Millisecond, "start": 600 * time.Millisecond,
		"stop": 500 * time.Millisecond, "delete": 60 * time.Millisecond}[args[0]]
	if slices.Contains(args, "-i") {
		usual *= 2
	}
	moment := killWithin(t, numbers, usual, nil, args...)
	if numbers.IntN(2) == 0 {
		for _, line := range processes() {
			fields := strings.Fields(line)
			pid, err := strconv.Atoi(fields[1])
			if err == nil && strings.HasSuffix(fields[2], "virt-sandbox-service-helper") && fields[len(fields)-1] == "t-kill" {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
	return moment
}

// killWithin kills a verb at a random moment of its usual time, and what others kills right before that, if it is
// given.
func killWithin(t *testing.T, numbers *rand.Rand, usual time.Duration, others func(), args ...string) time.Duration {
	t.Helper()
	moment := time.Duration(numbers.Int64N(int64(usual)))
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

// end is what there is once a verb has come to its end, and what the verb then says of another try.
type end struct {
	refusal string
	come    func(t *testing.T, name string) bool
}

// ends are those of the verbs that refuse another try; the others succeed.
var ends = map[string]end{
	"create": {"exists already", isWhole},
	"clone":  {"exists already", isWhole},
	"import": {"exists already", isWhole},
	"start":  {"is already running", isUp},
	"delete": {"no such sandbox", isGone},
}

// A name that the next start or delete removes, of an image that has its own name too.
var leftoverName = regexp.MustCompile(`^\S+/\.t-\S+\.virt-sandbox: leftover: an image under the name that it has ` +
	`until it is complete; start or delete \S+ to end that\n$`)

// isWhole reports whether a sandbox has been made: it is listed as one that can be started, and its content is
// complete.
func isWhole(t *testing.T, name string) bool {
	t.Helper()
	var list []struct{ Name, State string }
	if err := json.Unmarshal([]byte(must(t, "list", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.Name == name {
			o := run(t, "check", name)
			said := o.stdout + o.stderr
			if said != "" && !leftoverName.MatchString(said) {
				t.Errorf("check says %q", said)
				return false
			}
			return s.State == "stopped"
		}
	}
	return false
}

// isUp reports whether a container runs and its systemd has started its units.
func isUp(t *testing.T, name string) bool {
	t.Helper()
	o := run(t, "execute", name, "--", "systemctl", "is-active", "apache2.service")
	return o.status == 0 && o.stdout == "active\n"
}

// isGone reports whether nothing is left of a sandbox that delete would have to remove.
func isGone(t *testing.T, name string) bool {
	t.Helper()
	left := false
	for _, file := range []string{configDir + "/" + name + ".sandbox", contentDir + "/" + name, stateDir + "/" + name,
		imageDir + "/" + name + ".raw"} {
		if _, err := os.Lstat(file); err == nil {
			t.Logf("%s is left", file)
			left = true
		}
	}
	return !left
}

// again runs a killed verb once more on a sandbox, the last of its arguments unless a name is given. It succeeds. Only
// where the first one had come to its end may it refuse, with its own words; as it then makes nothing, what there is
// afterwards is the first one's.
func again(t *testing.T, args []string, moment time.Duration, its end, name ...string) {
	t.Helper()
	of := append(name, args[len(args)-1])[0]
	o := run(t, args...)
	switch {
	case o.status == 0:
	case its.refusal == "" || !strings.Contains(o.stderr, its.refusal):
		t.Errorf("killed after %v, %v again: exit status %d, %s", moment, args, o.status, o.stderr)
	case !its.come(t, of):
		t.Errorf("killed after %v, %v again: %s, though it had not come to its end", moment, args, o.stderr)
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
	rig.On(t, rig.Native)
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
	rig.On(t, rig.Native)
	before := snapshot(t)
	others := processes()
	create(t, "t-orphan", "-C", "-u", "apache2")
	must(t, "start", "t-orphan")
	boot := inside(t, "t-orphan", "stat -c %Y /proc/1; systemctl show -p UserspaceTimestampMonotonic")
	for _, line := range processes() {
		fields := strings.Fields(line)
		if strings.HasSuffix(fields[2], "virt-sandbox-service-monitor") && !slices.Contains(others, line) {
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
	rig.On(t, rig.Native)
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
