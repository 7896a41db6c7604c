package helper

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
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
	// Looking at all processes for each container would cost hundreds of them the square of their number.
	if pid := notedInit(controller); pid > 0 && isInit(pid, controller) {
		return pid, nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, fmt.Errorf("look for the container's first process: %w", err)
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && isInit(pid, controller) {
			return pid, nil
		}
	}
	return 0, errNoInit
}

func isInit(pid, controller int) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil || parentOf(status) != controller {
		return false
	}
	ids := strings.Fields(statusField(status, "NSpid"))
	return len(ids) > 1 && ids[len(ids)-1] == "1"
}

// notedInit gives the first process that libvirt notes in the state of a domain, once its controller has told it; 0 where it
// has not.
func notedInit(controller int) int {
	arguments, err := os.ReadFile("/proc/" + strconv.Itoa(controller) + "/cmdline")
	if err != nil {
		return 0
	}
	name := controlled(bytes.Split(arguments, []byte{0}))
	if config.CheckName(name) != nil {
		return 0
	}
	state, err := os.Open(filepath.Join(libvirtState, name+".xml"))
	if err != nil {
		return 0
	}
	defer state.Close()
	for tokens := xml.NewDecoder(state); ; {
		token, err := tokens.Token()
		if err != nil {
			return 0
		}
		element, begins := token.(xml.StartElement)
		switch {
		case begins && element.Name.Local == "init":
			for _, a := range element.Attr {
				if pid, err := strconv.Atoi(a.Value); err == nil && a.Name.Local == "pid" {
					return pid
				}
			}
			return 0
		case begins && element.Name.Local == "domain":
			// The long part, which follows.
			return 0
		}
	}
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
