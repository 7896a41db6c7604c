// SPDX-License-Identifier: Apache-2.0

package enter

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestOpen has a first process that goes to another user namespace, as root inside can make it, and then ends.
func TestOpen(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	command := exec.Command("sh", "-c", "read x; exec unshare --user sleep 60")
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	process, err := ProcessOf(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	target := Target{Process: process, Program: "/bin/sh"}
	try := func(target Target) error {
		o, err := open(target)
		if err == nil {
			o.close()
		}
		return err
	}
	if err := try(target); err != nil {
		t.Errorf("as it was noted: %v", err)
	}
	another := target
	another.Process.Begun++
	if err := try(another); !errors.Is(err, ErrEnded) {
		t.Errorf("another process of its number: got %v, want %v", err, ErrEnded)
	}
	if _, err := io.WriteString(stdin, "\n"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !errors.Is(err, ErrMoved); time.Sleep(10 * time.Millisecond) {
		if err = try(target); time.Now().After(deadline) {
			t.Fatalf("in another user namespace: got %v, want %v", err, ErrMoved)
		}
	}
	_ = command.Process.Kill()
	_ = command.Wait()
	if err := try(target); !errors.Is(err, ErrEnded) {
		t.Errorf("after its end: got %v, want %v", err, ErrEnded)
	}
	if _, err := ProcessOf(target.Process.PID); !errors.Is(err, ErrEnded) {
		t.Errorf("noted after its end: %v", err)
	}
}
