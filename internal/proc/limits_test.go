// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A process is rated as the caller, and may raise its limits as far as the caller may give it.
func TestSetLimits(t *testing.T) {
	command := exec.Command("sh", "-c", "ulimit -Sn 64; echo 700 >/proc/self/oom_score_adj; echo there; read x")
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
	defer func() { stdin.Close(); _ = command.Wait() }()
	if _, err := stdout.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	pid := command.Process.Pid
	var own, limit unix.Rlimit
	if err := Host.SetLimits(pid); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil {
		t.Fatal(err)
	}
	if limit.Cur != 64 || limit.Max < min(own.Max, hardLimits()[unix.RLIMIT_NOFILE]) {
		t.Errorf("open files: got %+v", limit)
	}
	mine, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(Host.path(pid, oomScore)); err != nil || string(got) != string(mine) {
		t.Errorf("rated %s (%v), want %s", strings.TrimSpace(string(got)), err, mine)
	}
}

// One that has ended is no mistake: whoever waits for it finds out.
func TestSetLimitsOfEnded(t *testing.T) {
	command := exec.Command("true")
	if err := command.Run(); err != nil {
		t.Fatal(err)
	}
	if err := Host.SetLimits(command.Process.Pid); err != nil {
		t.Error(err)
	}
}
