// SPDX-License-Identifier: Apache-2.0

// Package proc deals with processes of the host. In: process numbers, pidfds and the files of proc(5); out: processes
// held by descriptors, and what the kernel tells of them. It knows nothing of sandboxes or libvirt. Everyone may call
// it.
//
// A process number can come to mean another process. Hold one that must not by Open, and read its files after that.
package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a process of the host, held by a descriptor (pidfd_open(2)) so that its number cannot come to mean
// another one. Several goroutines may use it until Close.
type Process struct {
	pid int
	fd  *os.File
}

// Open holds a process. Errors: unix.ESRCH for one that is no more.
func Open(pid int) (*Process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", pid, err)
	}
	return &Process{pid, os.NewFile(uintptr(fd), "pidfd")}, nil
}

// PID returns the number of the process, in the caller's PID namespace.
func (p *Process) PID() int { return p.pid }

// File returns the pidfd itself: closing either closes both.
func (p *Process) File() *os.File { return p.fd }

// Close lets go of the process.
func (p *Process) Close() error { return p.fd.Close() }

// Signal sends a signal (pidfd_send_signal(2)). Errors: unix.ESRCH for a process that has ended.
func (p *Process) Signal(s unix.Signal) error { return Signal(p.fd, s) }

// Wait reports whether the process ends within the limit. A process that has ended counts before anybody has reaped it.
func (p *Process) Wait(limit time.Duration) bool { return Wait(p.fd, limit) }

// Signal sends a signal to the process of a pidfd.
func Signal(pidfd *os.File, s unix.Signal) error {
	return unix.PidfdSendSignal(int(pidfd.Fd()), s, nil, 0)
}

// Wait reports whether the process of a pidfd ends within the limit.
func Wait(pidfd *os.File, limit time.Duration) bool {
	deadline := time.Now().Add(limit)
	for {
		ended, err := poll(pidfd, int(max(0, time.Until(deadline).Milliseconds())))
		if !errors.Is(err, unix.EINTR) {
			return err == nil && ended
		}
	}
}

// AwaitEnd waits until the process of a pidfd ends, without a limit.
func AwaitEnd(pidfd *os.File) error {
	for {
		if _, err := poll(pidfd, -1); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// End waits, in a goroutine, for the end of the process of a pidfd without a limit, and sends what AwaitEnd returns. It
// looks through a descriptor of its own, so that the caller may close pidfd meanwhile.
func End(pidfd *os.File) (<-chan error, error) {
	own, err := duplicate(pidfd)
	if err != nil {
		return nil, err
	}
	end := make(chan error, 1)
	go func() {
		defer own.Close()
		end <- AwaitEnd(own)
	}()
	return end, nil
}

func duplicate(pidfd *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(pidfd.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("watch a process: %w", err)
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// Ended returns a channel that is closed when the process of a pidfd ends, unless the context ends first. It looks
// through a descriptor of its own, so that the caller may close pidfd meanwhile.
func Ended(ctx context.Context, pidfd *os.File) (<-chan struct{}, error) {
	own, err := duplicate(pidfd)
	if err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer own.Close()
		for ctx.Err() == nil {
			if Wait(own, 100*time.Millisecond) {
				close(ended)
				return
			}
		}
	}()
	return ended, nil
}

func poll(pidfd *os.File, milliseconds int) (ended bool, err error) {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd.Fd()), Events: unix.POLLIN}}, milliseconds)
	return n > 0, err
}

// PIDOf returns the number of the process of a pidfd, from its fdinfo (pidfd_open(2)); -1 for one that has ended, and
// for what is no pidfd.
func PIDOf(pidfd *os.File) int {
	text, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(int(pidfd.Fd())))
	if err != nil {
		return -1
	}
	return number(Status(text).Field("Pid"))
}
