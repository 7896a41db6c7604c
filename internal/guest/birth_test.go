// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// bear makes a child that is yet to be told to execute a command.
func bear(t *testing.T, command []string, environment ...string) *birth {
	t.Helper()
	b, err := newBirth()
	if err != nil {
		t.Fatal(err)
	}
	failure := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_FILES); err != nil {
			failure <- err
			return
		}
		failure <- b.fork(command[0], command, environment)
	}()
	if err := <-failure; err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBirth: a process that waits to be executed has a memory of its own, so that whoever traces it has nothing of its
// parent, and no files but the streams and two ends of pipes.
func TestBirth(t *testing.T) {
	b := bear(t, []string{"/bin/sh", "-c", "exit 7"})
	const kcmpVM = 1
	same, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(os.Getpid()), uintptr(b.pid), kcmpVM, 0, 0, 0)
	if errno == 0 && same == 0 {
		t.Error("the child has its parent's memory")
	} else if errno != 0 {
		t.Logf("memory not compared: %v", errno)
	}
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", b.pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", b.pid, e.Name()))
		if len(e.Name()) > 1 || err != nil {
			if !strings.HasPrefix(target, "pipe:") {
				t.Errorf("the child has descriptor %s, %s, %v", e.Name(), target, err)
			}
		}
	}
	if len(entries) != 5 {
		t.Errorf("the child has the descriptors %v", entries)
	}
	if err := b.execute(); err != nil {
		t.Errorf("execute: %v", err)
	}
	if status, err := b.wait(); status != 7 || err != nil {
		t.Errorf("got %d, %v", status, err)
	}
}

func TestBirthFails(t *testing.T) {
	for _, c := range []struct {
		file string
		want error
	}{{"/nonexistent", unix.ENOENT}, {"/etc", unix.EACCES}} {
		b := bear(t, []string{c.file})
		if err := b.execute(); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.file, err, c.want)
		}
		if status, err := b.wait(); status != StatusNotFound || err != nil {
			t.Errorf("%s: got %d, %v", c.file, status, err)
		}
	}
	b, err := newBirth()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.fork("/bin/true", []string{"a\x00b"}, nil); err == nil {
		t.Error("an argument that is none was taken")
	}
}

// TestBirthUntold: a child that nobody is left to tell does not execute its program.
func TestBirthUntold(t *testing.T) {
	b := bear(t, []string{"/bin/true"})
	unix.Close(b.start.write)
	unix.Close(b.start.read)
	if status, err := b.wait(); status != StatusNotFound || err != nil {
		t.Errorf("got %d, %v", status, err)
	}
}

// TestBirthKilled: a signal that ends the child is told; before it executes none reaches a handler of its parent.
func TestBirthKilled(t *testing.T) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, unix.SIGTERM)
	defer signal.Stop(caught)
	b := bear(t, []string{"/bin/sh", "-c", "kill -TERM $$"})
	if err := b.execute(); err != nil {
		t.Fatal(err)
	}
	if status, err := b.wait(); status != 128+int(unix.SIGTERM) || err != nil {
		t.Errorf("got %d, %v", status, err)
	}
	b = bear(t, []string{"/bin/sleep", "60"})
	if err := unix.Kill(b.pid, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := b.execute(); err != nil {
		t.Error(err)
	}
	if status, err := b.wait(); status != 128+int(unix.SIGTERM) || err != nil {
		t.Errorf("got %d, %v", status, err)
	}
}

// TestBirthEnvironment: arguments, environment and signal mask are what the program is to have.
func TestBirthEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "said")
	script := `{ echo "$0,$1,$A"; grep ^SigBlk /proc/self/status; } >` + file
	b := bear(t, []string{"/bin/sh", "-c", script, "x y", ""}, "A=b c", "PATH=/bin")
	if err := b.execute(); err != nil {
		t.Fatal(err)
	}
	if status, err := b.wait(); status != 0 || err != nil {
		t.Errorf("got %d, %v", status, err)
	}
	said, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"x y,,b c", "SigBlk:\t0000000000000000", ""}
	if got := strings.Split(string(said), "\n"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
