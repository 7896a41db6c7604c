// SPDX-License-Identifier: Apache-2.0

package innersystemd

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/enter"
)

// TestDialInside takes this process for the container's first: its root and its process namespace are the host's.
func TestDialInside(t *testing.T) {
	dir := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := os.Symlink("socket", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	target := enter.Target{Process: enter.Process{PID: os.Getpid()}}
	for _, name := range []string{"socket", "link"} {
		connection, err := dialInside(target, strings.TrimPrefix(filepath.Join(dir, name), "/"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		connection.Close()
	}
	if _, err := dialInside(target, strings.TrimPrefix(filepath.Join(dir, "absent"), "/")); err == nil {
		t.Error("a socket that is not there was reached")
	}
}

func TestAnsweredInside(t *testing.T) {
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	connection, err := net.Dial("unix", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := answeredInside(connection.(*net.UnixConn), os.Getpid()); err != nil {
		t.Errorf("own process: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root to make a process namespace")
	}
	other := exec.Command("unshare", "--pid", "--fork", "--kill-child", "sh", "-c", "echo; exec sleep 60")
	said, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	}()
	if _, err := said.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	children, err := os.ReadFile("/proc/" + strconv.Itoa(other.Process.Pid) + "/task/" + strconv.Itoa(other.Process.Pid) +
		"/children")
	if err != nil {
		t.Fatal(err)
	}
	inside, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		t.Fatal(err)
	}
	if err := answeredInside(connection.(*net.UnixConn), inside); err == nil || !strings.Contains(err.Error(),
		"is not of the container") {
		t.Errorf("process of another namespace: %v", err)
	}
}
