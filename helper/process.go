package helper

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is a process of the host, held by a descriptor so that its number cannot come to mean another one.
type process struct {
	pid int
	fd  *os.File
}

func openProcess(pid int) (*process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", pid, err)
	}
	return &process{pid, os.NewFile(uintptr(fd), "pidfd")}, nil
}

func (p *process) close() { p.fd.Close() }

func (p *process) signal(s unix.Signal) error {
	return unix.PidfdSendSignal(int(p.fd.Fd()), s, nil, 0)
}

// wait tells whether the process ends within the time.
func (p *process) wait(limit time.Duration) bool {
	deadline := time.Now().Add(limit)
	for {
		fds := []unix.PollFd{{Fd: int32(p.fd.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(max(0, time.Until(deadline).Milliseconds())))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return err == nil && n > 0
	}
}

// errNoInit is returned by initOf while libvirt's controller has no container yet, or no more.
var errNoInit = errors.New("the container has no first process")

// initOf finds the first process of the container that a libvirt_lxc controller runs: its child that is number 1 in its
// own PID namespace.
func initOf(controller int) (int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, fmt.Errorf("look for the container's first process: %w", err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		status, err := os.ReadFile("/proc/" + e.Name() + "/status")
		if err != nil {
			continue
		}
		if parentOf(status) != controller {
			continue
		}
		if ids := strings.Fields(statusField(status, "NSpid")); len(ids) > 1 && ids[len(ids)-1] == "1" {
			return pid, nil
		}
	}
	return 0, errNoInit
}

func parentOf(status []byte) int {
	parent, err := strconv.Atoi(statusField(status, "PPid"))
	if err != nil {
		return -1
	}
	return parent
}

// statusField gives one value of /proc/PID/status.
func statusField(status []byte, name string) string {
	for l := range bytes.Lines(status) {
		if value, found := bytes.CutPrefix(l, []byte(name+":")); found {
			return strings.TrimSpace(string(value))
		}
	}
	return ""
}
