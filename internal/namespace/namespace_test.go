// SPDX-License-Identifier: Apache-2.0

package namespace

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

var errOfFunction = errors.New("of the function")

// unshared starts a process with namespaces of its own, by options of unshare(1).
func unshared(t *testing.T, options ...string) *proc.Process {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	command := exec.Command("unshare", append(options, "sh", "-c", "echo; exec cat")...)
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = command.Wait()
	})
	if n, err := stdout.Read(make([]byte, 1)); n != 1 {
		t.Skipf("no namespaces can be made here: %v", err)
	}
	p, err := proc.Open(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// own returns a namespace of this thread.
func own(t *testing.T, name string) string {
	t.Helper()
	link, err := os.Readlink("/proc/thread-self/ns/" + name)
	if err != nil {
		t.Error(err)
	}
	return link
}

func TestInNamespaces(t *testing.T) {
	p := unshared(t, "--net")
	want, err := os.Readlink(proc.Host.Namespace(p.PID(), "net"))
	if err != nil {
		t.Fatal(err)
	}
	before := own(t, "net")
	err = InNetworkOf(p.File(), func() error {
		if got := own(t, "net"); got != want || got == before {
			t.Errorf("in %s, not in %s", got, want)
		}
		return errOfFunction
	})
	if !errors.Is(err, errOfFunction) {
		t.Errorf("got %v", err)
	}
	if got := own(t, "net"); got != before {
		t.Errorf("the caller is in %s afterwards", got)
	}
}

// TestInOwnMounts: what is mounted there nobody else sees.
func TestInOwnMounts(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	dir, before := t.TempDir(), own(t, "mnt")
	err := InOwnMounts(func() error {
		if got := own(t, "mnt"); got == before {
			t.Errorf("in the caller's mounts, %s", got)
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			return err
		}
		if err := os.WriteFile(dir+"/file", nil, 0o644); err != nil {
			return err
		}
		return errOfFunction
	})
	if !errors.Is(err, errOfFunction) {
		t.Errorf("got %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("the caller sees %v (%v)", entries, err)
	}
}

func TestInHostMounts(t *testing.T) {
	called := false
	err := InHostMounts(func() error {
		called = true
		return errOfFunction
	})
	if !errors.Is(err, errOfFunction) || !called {
		if os.Getuid() == 0 || called {
			t.Errorf("got %v", err)
		}
	}
}

// TestNotEntered: where there is nothing to enter, the function is not called.
func TestNotEntered(t *testing.T) {
	never := func() error {
		t.Error("called")
		return nil
	}
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := InNetworkOf(file, never); err == nil {
		t.Error("entered the network of /dev/null")
	}
}

func TestAsContainerRoot(t *testing.T) {
	for _, uid := range []uint32{0, 100000} {
		want := int(uid)
		if uid == 0 || os.Getuid() != 0 {
			uid, want = 0, os.Geteuid()
		}
		err := AsContainerRoot(uid, func() error {
			// Not os.Geteuid, of which Go may ask any thread's.
			if got, _, _ := unix.RawSyscall(unix.SYS_GETEUID, 0, 0, 0); int(got) != want {
				t.Errorf("user %d, not %d", got, want)
			}
			return errOfFunction
		})
		if !errors.Is(err, errOfFunction) {
			t.Errorf("got %v", err)
		}
		if got, _, _ := unix.RawSyscall(unix.SYS_GETEUID, 0, 0, 0); int(got) != os.Geteuid() {
			t.Errorf("user %d afterwards", got)
		}
	}
}
