// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// watched is what root inside got of the processes that came into its sight.
type watched struct {
	Seen         int      // processes
	Before       int      // of them, those that were seen before they executed their program
	Held         int      // of those, the ones that it could trace then
	Capabilities uint64   // all sets of all processes together
	Written      []string // programs that could be written to
	files        []int
}

// watchEntering looks at each process from its birth on, until there is a file "end" in a directory, where it puts what
// it got. It runs by itself: whoever has been executed keeps the host's program from being written to.
func watchEntering(dir string) error {
	// Tracing is a matter of one thread.
	runtime.LockOSThread()
	var w watched
	next, idle := lastPID()+1, 0
	if err := os.WriteFile(filepath.Join(dir, "begun"), nil, 0o644); err != nil {
		return err
	}
	for {
		found := false
		for pid := next; pid < next+3 && !found; pid++ {
			if w.look(pid) {
				next, idle, found = pid+1, 0, true
			}
		}
		if idle++; !found && idle > 2000 {
			next, idle = lastPID()+1, 0
			if _, err := os.Stat(filepath.Join(dir, "end")); err == nil {
				break
			}
		}
	}
	w.write()
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "new"), text, 0o644); err != nil {
		return err
	}
	return os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "got"))
}

// lastPID returns the number of the process that was made last.
func lastPID() int {
	text, _ := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(text))
	pid, _ := strconv.Atoi(fields[len(fields)-1])
	return pid
}

func (w *watched) look(pid int) bool {
	dir := "/proc/" + strconv.Itoa(pid)
	fd, err := unix.Open(dir+"/exe", unix.O_PATH, 0)
	status, statusErr := os.ReadFile(dir + "/status")
	if statusErr != nil {
		if err == nil {
			unix.Close(fd)
		}
		return false
	}
	w.Seen++
	if err == nil {
		w.files = append(w.files, fd)
	}
	w.count(status)
	// Until then its name is that of a descriptor.
	name, _, _ := strings.Cut(strings.TrimPrefix(string(status), "Name:\t"), "\n")
	if _, err := strconv.Atoi(name); err == nil {
		w.Before++
	}
	w.trace(pid, dir)
	return true
}

// count adds the capabilities of a process.
func (w *watched) count(status []byte) {
	for line := range strings.Lines(string(status)) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t"); strings.HasPrefix(name, "Cap") {
			set, _ := strconv.ParseUint(value, 16, 64)
			w.Capabilities |= set
		}
	}
}

// trace halts a process, looks whether that is before it has executed its program, and lets go.
func (w *watched) trace(pid int, dir string) {
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0, 0, 0, 0); errno != 0 {
		return
	}
	defer func() { _ = unix.PtraceDetach(pid) }()
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_INTERRUPT, uintptr(pid), 0, 0, 0, 0)
	if errno != 0 {
		return
	}
	var status unix.WaitStatus
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		if got, err := unix.Wait4(pid, &status, unix.WNOHANG|unix.WALL, nil); got == pid || err != nil {
			break
		}
	}
	if program, _ := os.Readlink(dir + "/exe"); !strings.Contains(program, "virt-sandbox-init") {
		return
	}
	w.Held++
	if text, err := os.ReadFile(dir + "/status"); err == nil {
		w.count(text)
	}
}

// write tries to write to the programs, in place of a byte the same one.
func (w *watched) write() {
	for _, fd := range w.files {
		file, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDWR, 0)
		for begun := time.Now(); errors.Is(err, unix.ETXTBSY) && time.Since(begun) < time.Second; {
			file, err = os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDWR, 0)
		}
		if err != nil {
			continue
		}
		same := make([]byte, 1)
		if _, err := file.ReadAt(same, 0); err == nil {
			if _, err = file.WriteAt(same, 0); err == nil {
				name, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
				w.Written = append(w.Written, name)
			}
		}
		file.Close()
	}
	w.Written = slices.Compact(w.Written)
}

// installAttempt puts the program for attempts into the content of a sandbox and returns its path inside.
func installAttempt(t *testing.T, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	shell(t, "cp "+self+" "+contentDir+"/"+name+"/var/lib/attempt")
	return "/var/lib/attempt"
}

// What enters a container has no more than the container from the moment that it can be seen there: no capability, no
// file of the host that could be written to, and with ids of its own nothing that could be traced.
func TestEnteringGivesNothing(t *testing.T) {
	rig.On(t, rig.Native)
	for _, c := range []struct {
		name    string
		options []string
	}{{"plain", nil}, {"idmap", []string{"--idmap", "auto"}}} {
		t.Run(c.name, func(t *testing.T) {
			// Without that one root inside can trace nothing that others give it.
			options := append(c.options, "--capabilities", "auto +CAP_SYS_PTRACE", "-C", "-u", "apache2")
			create(t, "t-enter", options...)
			attempt := installAttempt(t, "t-enter")
			must(t, "start", "t-enter")
			text := strings.TrimSpace(inside(t, "t-enter", "awk '/CapBnd/ { print $2 }' /proc/1/status"))
			bounding, err := strconv.ParseUint(text, 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			// In content, which the host sees too.
			dir := contentDir + "/t-enter/var/lib/watched/"
			inside(t, "t-enter", "mkdir /var/lib/watched; setsid "+attempt+
				" watch-entering /var/lib/watched </dev/null >/var/lib/watched/log 2>&1 &")
			exists := func(name string) func() bool {
				return func() bool { _, err := os.Stat(dir + name); return err == nil }
			}
			wait(t, "root inside to begin", exists("begun"))
			// Not each of them is seen: it lives for a moment, in which root inside has to have a processor.
			for range 60 {
				if o := run(t, "execute", "t-enter", "--", "/bin/true"); o != (outcome{}) {
					t.Errorf("execute: %+v", o)
				}
			}
			shell(t, "touch "+dir+"end")
			wait(t, "root inside to end", exists("got"))
			text = shell(t, "cat "+dir+"got")
			var w watched
			if err := json.Unmarshal([]byte(text), &w); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			t.Logf("%+v", w)
			if w.Seen < 20 || w.Before == 0 {
				t.Errorf("root inside saw %d processes, %d of them before they executed: too few to tell", w.Seen, w.Before)
			}
			if more := w.Capabilities &^ bounding; more != 0 {
				t.Errorf("a process inside had the capabilities %x, the container has %x", w.Capabilities, bounding)
			}
			if len(w.Written) > 0 {
				t.Errorf("programs that root inside could write to: %q", w.Written)
			}
			if c.name == "idmap" && w.Held > 0 {
				t.Errorf("root inside traced %d processes before they executed", w.Held)
			}
			remove(t, "t-enter")
		})
	}
}
