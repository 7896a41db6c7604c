// SPDX-License-Identifier: Apache-2.0

package enter

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/proc"
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
	begun, err := startTime(pid)
	if err != nil {
		return Process{}, err
	}
	var stat unix.Stat_t
	if err := unix.Stat(proc.Host.Namespace(pid, userNamespace), &stat); err != nil {
		return Process{}, fmt.Errorf("%w: %w", ErrEnded, err)
	}
	p := Process{pid, begun, stat.Ino}
	return p, p.check()
}

// IsAlive reports whether the process is still there. Anybody may ask, but where /proc hides the processes of others
// (proc(5), hidepid) the answer is that it is.
func (p Process) IsAlive() bool { return p.check() == nil || !proc.Host.Exists(1) }

// check reports whether the number still is the process's. What was opened by the number before is then the process's
// too.
func (p Process) check() error {
	begun, err := startTime(p.PID)
	if err != nil {
		return err
	}
	if begun != p.Begun {
		return ErrEnded
	}
	return nil
}

func startTime(pid int) (uint64, error) {
	begun, err := proc.Host.StartTime(pid)
	var unreadable *fs.PathError
	if errors.As(err, &unreadable) {
		return 0, fmt.Errorf("%w: %w", ErrEnded, err)
	}
	return begun, err
}
