// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

const stressWorkers = 8

// victim is a sandbox that is started and stopped at random.
type victim struct {
	name string

	mu     sync.Mutex
	active int // commands that work on it
	begun  int
}

// enter notes that a command begins, and returns what notes that it has ended and reports whether it had the sandbox
// for itself.
func (v *victim) enter() (leave func() (alone bool)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.active++
	v.begun++
	alone, mine := v.active == 1, v.begun
	return func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.active--
		return alone && v.begun == mine
	}
}

// Whatever is done to many containers at once, with libvirtd ending in the middle of it: each is afterwards what it is
// said to be, and nothing stays behind.
func TestStress(t *testing.T) {
	rig.On(t, rig.Native, rig.Stress)
	clean(t)
	allowInotify(t)
	list := names("sc-stress", *count)
	t.Cleanup(func() { remove(t, list) })
	run(t, append([]string{program, "create", "-C", "-u", unit}, list...)...)
	writePages(t, list)
	var victims []*victim
	for _, name := range list {
		victims = append(victims, &victim{name: name})
	}

	var restarts atomic.Int64 // odd while libvirtd is away
	end := time.Now().Add(*stress)
	var commands, failures atomic.Int64
	var workers sync.WaitGroup
	for range stressWorkers {
		workers.Go(func() {
			for time.Now().Before(end) {
				v := victims[rand.IntN(len(victims))]
				verb := []string{"start", "stop"}[rand.IntN(2)]
				before := restarts.Load()
				leave := v.enter()
				out, err := exec.Command(program, verb, v.name).CombinedOutput()
				alone := leave()
				commands.Add(1)
				if err != nil {
					failures.Add(1)
					// Two that want different things of a sandbox, or a libvirtd that goes away, may make one fail.
					if alone && before%2 == 0 && restarts.Load() == before {
						t.Errorf("%s %s: %v\n%s", verb, v.name, err, out)
					}
				}
			}
		})
	}
	time.Sleep(*stress / 2)
	restarts.Add(1)
	restartLibvirt(t)
	restarts.Add(1)
	workers.Wait()
	t.Logf("%d commands, of which %d failed for another's sake", commands.Load(), failures.Load())

	checkStates(t, list)
	run(t, append([]string{program, "start"}, list...)...)
	checkPages(t, list)
	checkStates(t, list)
	run(t, append([]string{program, "stop"}, list...)...)
	checkStates(t, list)
	run(t, append([]string{program, "delete"}, list...)...)
}

// restartLibvirt ends libvirtd; the host's systemd, or the rig in its place, starts it again.
func restartLibvirt(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		if out, err := exec.Command("systemctl", "restart", "libvirtd").CombinedOutput(); err != nil {
			t.Errorf("restart libvirtd: %v\n%s", err, out)
		}
		return
	}
	old := processNamed("libvirtd")
	for _, pid := range old {
		if err := unix.Kill(pid, unix.SIGTERM); err != nil {
			t.Error(err)
		}
	}
	for range 300 {
		time.Sleep(100 * time.Millisecond)
		now := processNamed("libvirtd")
		if len(now) > 0 && now[0] != old[0] && exec.Command("virsh", "-q", "-c", "lxc:///", "version").Run() == nil {
			return
		}
	}
	t.Error("libvirtd does not come back; with-libvirt starts it again where the tests run under it")
}

// checkStates compares what is said of each sandbox with what there is.
func checkStates(t *testing.T, names []string) {
	t.Helper()
	out, err := exec.Command(program, "list", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var said []struct{ Name, State, Unit string }
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatal(err)
	}
	processes := processesOf("/virt-sandbox-", names)
	_, systemdErr := os.Stat("/run/systemd/system")
	for _, s := range said {
		if !slices.Contains(names, s.Name) {
			continue
		}
		runs := len(processes[s.Name]) > 0
		if (s.State == "running") != runs || (s.State == "stopped") == runs {
			t.Errorf("%s is said to be %s, and has %d processes", s.Name, s.State, len(processes[s.Name]))
		}
		if systemdErr == nil {
			// It fails of a unit that is not active.
			state, _ := exec.Command("systemctl", "is-active", s.Unit).Output()
			if (strings.TrimSpace(string(state)) == "active") != runs {
				t.Errorf("unit %s is %s, and %s has %d processes", s.Unit, state, s.Name, len(processes[s.Name]))
			}
		}
		if runs {
			if text, err := get(processes[s.Name][0]); err != nil || text != page(s.Name) {
				t.Errorf("%s answers %q (%v)", s.Name, text, err)
			}
		}
	}
}
