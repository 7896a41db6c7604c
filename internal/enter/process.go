package enter

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Process is a process by what cannot come to mean another one.
type Process struct {
	PID           int    `json:"pid"`            // in the caller's PID namespace
	Begun         uint64 `json:"begun"`          // when it was born, in ticks since boot (proc(5), starttime)
	UserNamespace uint64 `json:"user_namespace"` // inode of the one that it was born in
}

// ErrEnded is returned for a process that is no more.
var ErrEnded = errors.New("the container's first process has ended")

// ErrMoved is returned for a process that has left its user namespace: whoever enters after it is somewhere else.
var ErrMoved = errors.New("the container's first process has left its user namespace; stop the container")

// ProcessOf notes a process. Errors: ErrEnded.
func ProcessOf(pid int) (Process, error) {
	begun, err := begunAt(pid)
	if err != nil {
		return Process{}, err
	}
	var stat unix.Stat_t
	if err := unix.Stat(namespaceFile(pid, userNamespace), &stat); err != nil {
		return Process{}, fmt.Errorf("%w: %w", ErrEnded, err)
	}
	p := Process{pid, begun, stat.Ino}
	return p, p.check()
}

// check tells whether the number still is the process's. What was opened by the number before is then the process's too.
func (p Process) check() error {
	begun, err := begunAt(p.PID)
	if err != nil {
		return err
	}
	if begun != p.Begun {
		return ErrEnded
	}
	return nil
}

// begunAt reads field 22 of /proc/PID/stat, behind a name that may have anything in it.
func begunAt(pid int) (uint64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrEnded, err)
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	return strconv.ParseUint(string(fields[19]), 10, 64)
}
