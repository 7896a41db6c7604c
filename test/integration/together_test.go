// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// togetherRounds is how often verbs meet; VIRT_SANDBOX_TEST_ROUNDS asks for more.
func togetherRounds() int {
	if n, err := strconv.Atoi(os.Getenv("VIRT_SANDBOX_TEST_ROUNDS")); err == nil {
		return n
	}
	return 5
}

// meeting is a verb that is carried out on t-meet while others are.
type meeting struct {
	args  []string
	delay time.Duration
	kill  time.Duration // after which it is killed; 0 for not

	out    bytes.Buffer
	status int
	took   time.Duration
}

func (m *meeting) String() string {
	return fmt.Sprintf("%v after %v, killed after %v: exit status %d after %v\n%s", m.args, m.delay, m.kill, m.status,
		m.took, m.out.String())
}

// verbsThatMeet are those that may be asked for at any time.
func verbsThatMeet(dir string) [][]string {
	return [][]string{
		{"start", "t-meet"}, {"start", "t-meet"}, {"stop", "t-meet"}, {"stop", "t-meet"}, {"restart", "t-meet"},
		{"delete", "t-meet"}, {"upgrade", "t-meet"}, {"set-property", "t-meet", "memory=1G"},
		{"set-property", "--runtime", "t-meet", "pids=500"}, {"pause", "t-meet"}, {"resume", "t-meet"},
		{"kill", "-s", "HUP", "t-meet"}, {"clone", "--freeze", "t-meet", "t-meet2"}, {"edit", "t-meet"},
		{"execute", "t-meet", "--", "true"}, {"reload", "t-meet"}, {"check", "t-meet"}, {"status", "t-meet"},
		{"list"}, {"logs", "t-meet"}, {"export", "--freeze", "t-meet", filepath.Join(dir, "x")},
		{"needs-restart", "t-meet"}, {"needs-restart", "--restart", "t-meet"}, {"logrotate", "t-meet"}, {"enable", "t-meet"},
		{"create", "-C", "-u", "apache2", "t-meet"}, {"delete", "t-meet2"},
	}
}

// meet carries verbs out at the same time.
func meet(t *testing.T, all []*meeting) {
	t.Helper()
	ended := make(chan *meeting)
	for _, m := range all {
		go func() {
			defer func() { ended <- m }()
			time.Sleep(m.delay)
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			if m.kill > 0 {
				ctx, cancel = context.WithTimeout(ctx, m.kill)
				defer cancel()
			}
			begun := time.Now()
			command := exec.CommandContext(ctx, program, m.args...)
			command.Env = append(os.Environ(), "EDITOR=sed -i -e '$a# seen'", "VISUAL=")
			command.Stdout, command.Stderr = &m.out, &m.out
			command.WaitDelay = time.Second
			_ = command.Run()
			if m.args[0] == "pause" {
				// Who has passed the question whether it is paused would stand still for ever.
				time.Sleep(3 * time.Second)
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				_ = exec.CommandContext(ctx, program, "resume", "t-meet").Run()
			}
			m.status, m.took = command.ProcessState.ExitCode(), time.Since(begun)
		}()
	}
	for range all {
		m := <-ended
		if m.kill > 0 && m.status == -1 {
			continue
		}
		// What runs inside may be ended with the container.
		isInside := m.args[0] == "execute" || m.args[0] == "logs"
		if m.status != 0 && m.status != 1 && m.args[0] != "status" && !(isInside && m.status > 128) || m.took > time.Minute {
			t.Errorf("a verb ends wrongly: %v", m)
		}
		if m.status == 1 && m.args[0] != "check" && m.args[0] != "needs-restart" && m.out.Len() == 0 {
			t.Errorf("a verb that fails says nothing: %v", m)
		}
		if strings.Contains(m.out.String(), "panic") || strings.Contains(m.out.String(), "goroutine ") {
			t.Errorf("a verb breaks down: %v", m)
		}
	}
}

// Verbs that are carried out on one sandbox at the same moment, some of which are killed, leave it in a state that stop
// and delete get it out of, with nothing behind.
func TestVerbsTogether(t *testing.T) {
	rig.On(t, rig.Native, rig.Host)
	numbers := random(t)
	before := snapshot(t)
	t.Cleanup(func() { remove(t, "t-meet"); remove(t, "t-meet2") })
	verbs := verbsThatMeet(t.TempDir())
	for round := range togetherRounds() {
		if numbers.IntN(4) > 0 {
			again := []string{"create", "--if-missing", "-C", "-u", "apache2", "t-meet"}
			o := run(t, again...)
			if strings.Contains(o.stderr, "run delete again") {
				must(t, "delete", "t-meet")
				o = run(t, again...)
			}
			if o.status != 0 {
				t.Fatalf("round %d: create: %+v", round, o)
			}
		}
		if numbers.IntN(2) == 0 {
			run(t, "start", "t-meet")
		}
		all := chosenMeetings(numbers, verbs)
		meet(t, all)
		for _, name := range []string{"t-meet", "t-meet2"} {
			endMeeting(t, name)
		}
		if round%5 == 4 {
			for _, name := range []string{"t-meet", "t-meet2"} {
				if o := run(t, "delete", "--ignore", name); o.status != 0 {
					t.Errorf("delete: %+v", o)
				}
			}
			sameAs(t, before, "after delete")
		}
		if t.Failed() {
			for _, m := range all {
				t.Log(m)
			}
			t.Fatalf("round %d", round)
		}
	}
}

// chosenMeetings are two to four verbs at moments close to each other.
func chosenMeetings(numbers *rand.Rand, verbs [][]string) (all []*meeting) {
	for range 2 + numbers.IntN(3) {
		m := &meeting{args: slices.Clone(verbs[numbers.IntN(len(verbs))])}
		if numbers.IntN(2) == 0 {
			m.delay = time.Duration(numbers.Int64N(int64(600 * time.Millisecond)))
		}
		if numbers.IntN(3) == 0 {
			m.kill = time.Millisecond + time.Duration(numbers.Int64N(int64(700*time.Millisecond)))
		}
		all = append(all, m)
	}
	return all
}

// endMeeting stops a sandbox, whatever became of it, and looks that nothing of a run is left.
func endMeeting(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(configDir, name+".sandbox")); err != nil {
		return
	}
	if o := run(t, "stop", name); o.status != 0 {
		t.Errorf("stop: %+v", o)
	}
	nothingRuns(t, name)
}
