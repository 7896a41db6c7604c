// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fakeProc makes a proc file system of files by their names below it.
func fakeProc(t *testing.T, files map[string]string) Dir {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Dir(dir)
}

func TestProcess(t *testing.T) {
	command := exec.Command("cat")
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := Open(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.PID() != command.Process.Pid || PIDOf(p.File()) != command.Process.Pid {
		t.Errorf("numbers %d and %d of process %d", p.PID(), PIDOf(p.File()), command.Process.Pid)
	}
	if p.Wait(10 * time.Millisecond) {
		t.Error("one that lives has ended")
	}
	if err := p.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := AwaitEnd(p.File()); err != nil || !p.Wait(0) {
		t.Errorf("one that was killed has not ended: %v", err)
	}
	_ = command.Wait()
	if err := p.Signal(unix.SIGTERM); !errors.Is(err, unix.ESRCH) {
		t.Errorf("signal to one that has ended: %v", err)
	}
	if pid := PIDOf(p.File()); pid != -1 {
		t.Errorf("one that has ended has number %d", pid)
	}
	if _, err := Open(command.Process.Pid); !errors.Is(err, unix.ESRCH) {
		t.Errorf("open one that has ended: %v", err)
	}
}

func TestPIDOfOther(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if pid := PIDOf(file); pid != -1 {
		t.Errorf("/dev/null is process %d", pid)
	}
}

func TestOwnFiles(t *testing.T) {
	pid := os.Getpid()
	status, err := Host.Status(pid)
	if err != nil || status.Parent() != os.Getppid() || status.Field("Pid") != strconv.Itoa(pid) {
		t.Errorf("status: %q, %v", status, err)
	}
	if _, err := status.BoundingSet(); err != nil {
		t.Errorf("bounding set: %v", err)
	}
	if started, err := Host.StartTime(pid); err != nil || started == 0 {
		t.Errorf("start time: %d, %v", started, err)
	}
	if words, err := Host.Arguments(pid); err != nil || !slices.Equal(words, os.Args) {
		t.Errorf("arguments: %q, %v", words, err)
	}
	if !Host.Exists(pid) || Host.Exists(1<<30) {
		t.Error("existence")
	}
	if pids, err := Host.PIDs(); err != nil || !slices.Contains(pids, pid) {
		t.Errorf("processes: %v, %v", pids, err)
	}
	if _, err := os.Readlink(Host.Namespace(pid, "mnt")); err != nil {
		t.Error(err)
	}
}

func TestFindFirst(t *testing.T) {
	status := func(parent, numbers string) string {
		return "Name:\tx\nPPid:\t" + parent + "\nNSpid:\t" + numbers + "\n"
	}
	dir := fakeProc(t, map[string]string{
		"10/status": status("1", "10"),
		"20/status": status("10", "20"),       // in the host's namespace
		"30/status": status("11", "30\t1"),    // of another parent
		"40/status": status("10", "40\t2"),    // not the first
		"50/status": status("10", "50\t7\t1"), // nested
		"self/x":    "",
	})
	if pid, err := dir.FindFirst(10); pid != 50 || err != nil {
		t.Errorf("got %d, %v", pid, err)
	}
	if !dir.IsFirst(30, 11) || dir.IsFirst(30, 10) || dir.IsFirst(60, 10) {
		t.Error("IsFirst")
	}
	if _, err := dir.FindFirst(12); !errors.Is(err, ErrNoFirst) {
		t.Errorf("of one without: %v", err)
	}
	if _, err := Dir(string(dir) + "/absent").FindFirst(1); err == nil || errors.Is(err, ErrNoFirst) {
		t.Errorf("without /proc: %v", err)
	}
}

func TestFiles(t *testing.T) {
	dir := fakeProc(t, map[string]string{
		"1/cmdline": "/usr/libexec/libvirt_lxc\x00--name\x00\x00web\x00", "2/cmdline": "", "3/cmdline": "a title",
		"1/attr/current": "system_u:system_r:container_t:s0\x00", "1/attr/apparmor/current": "libvirt (enforce)\n",
		"1/cgroup": "0::/a\n",
	})
	words := map[int][]string{1: {"/usr/libexec/libvirt_lxc", "--name", "", "web"}, 2: {""}, 3: {"a title"}}
	for pid, want := range words {
		if got, err := dir.Arguments(pid); err != nil || !slices.Equal(got, want) {
			t.Errorf("arguments of %d: %q, %v", pid, got, err)
		}
	}
	for name, want := range map[string]string{
		"current": "system_u:system_r:container_t:s0", "apparmor/current": "libvirt (enforce)",
	} {
		if got, err := dir.Attribute(1, name); err != nil || got != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got, err := dir.Cgroup(1); err != nil || got != "0::/a\n" {
		t.Errorf("cgroup: %q, %v", got, err)
	}
	for _, err := range []error{
		second(dir.Arguments(9)), second(dir.Attribute(9, "current")), second(dir.Cgroup(9)),
		second(dir.Status(9)), second(dir.StartTime(9)),
	} {
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("of one that is not there: %v", err)
		}
	}
}

func TestInotifyInstances(t *testing.T) {
	for text, want := range map[string]int{"128\n": 128, "": 0, "x": 0} {
		dir := fakeProc(t, map[string]string{"sys/fs/inotify/max_user_instances": text})
		if got, err := dir.InotifyInstances(); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestParseStartTime(t *testing.T) {
	const rest = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"
	for text, want := range map[string]uint64{
		"7 (sh)" + rest: 4711, "7 (a) b (c)" + rest + "\n": 4711, "": 0, "7 (sh) S 1": 0,
	} {
		if got, err := parseStartTime([]byte(text)); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
}

func FuzzStatus(f *testing.F) {
	f.Add([]byte("Name:\tx\nPPid:\t12\nNSpid:\t40\t1\nCapBnd:\t000001ffffffffff\n"))
	f.Add([]byte("7 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"))
	f.Add([]byte("PPid:-"))
	f.Fuzz(func(t *testing.T, text []byte) {
		status := Status(text)
		if status.Parent() < -1 && status.Field("PPid")[0] != '-' {
			t.Errorf("parent %d of %q", status.Parent(), text)
		}
		status.IsFirst()
		_, _ = status.BoundingSet()
		_, _ = parseStartTime(text)
	})
}
