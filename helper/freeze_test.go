package helper

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFreezeForking: a group whose processes start others all the time is halted each time. With cgroup version 1 many tries
// are stuck: the parent of a vfork waits in the kernel for a child that is frozen already.
func TestFreezeForking(t *testing.T) {
	hierarchy := "/sys/fs/cgroup"
	if _, err := os.Stat(hierarchy + "/freezer/tasks"); err == nil {
		hierarchy += "/freezer"
	}
	// What is to be killed with its parent is so with the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	group := filepath.Join(hierarchy, "virt-sandbox-test-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Skipf("this process may make no cgroup: %v", err)
	}
	forking := exec.Command("sh", "-c", "read go; while :; do /bin/true; done")
	forking.SysProcAttr = &unix.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	stdin, err := forking.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := forking.Start(); err != nil {
		t.Fatal(err)
	}
	f := freezer(group)
	t.Cleanup(func() {
		if err := errors.Join(unix.Kill(-forking.Process.Pid, unix.SIGKILL), f.thaw()); err != nil {
			t.Error(err)
		}
		_ = forking.Wait()
		if err := removeCgroup(group); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(forking.Process.Pid)), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := stdin.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); ; {
		if pids, err := os.ReadFile(filepath.Join(group, "cgroup.procs")); err != nil || time.Since(begun) > 10*time.Second {
			t.Fatalf("the group's processes start no others: %q (%v)", pids, err)
		} else if strings.Count(string(pids), "\n") > 1 {
			break
		}
	}
	for range 8 {
		time.Sleep(5 * time.Millisecond)
		if err := f.freeze(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := f.thaw(); err != nil {
			t.Fatal(err)
		}
	}
}
