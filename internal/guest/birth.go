// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// birth makes a process as fork(2) does, which the runtime cannot: a child of os/exec has its parent's memory until it
// executes its program, and so whoever traces it has the parent.
//
// Two pipes without the runtime's poller: its descriptor would be the child's too, and whoever has that can say what
// the parent is woken with.
type birth struct {
	pid    int
	start  pipe // the child waits until it is told to execute its program, and ends where nobody is left to tell
	failed pipe // it tells why it could not
}

type pipe struct{ read, write int }

func newPipe() (pipe, error) {
	var p [2]int
	err := unix.Pipe2(p[:], unix.O_CLOEXEC)
	return pipe{p[0], p[1]}, err
}

func newBirth() (*birth, error) {
	b := new(birth)
	var err error
	if b.start, err = newPipe(); err == nil {
		b.failed, err = newPipe()
	}
	if err != nil {
		return nil, fmt.Errorf("make pipes: %w", err)
	}
	return b, nil
}

// fork makes the child, which waits for execute. It has the descriptors 0 to 2 and its ends of the pipes.
// Preconditions: the goroutine is locked to its thread, which has a table of descriptors of its own and ends next.
func (b *birth) fork(file string, args, environment []string) error {
	path, pathErr := unix.BytePtrFromString(file)
	argv, argvErr := syscall.SlicePtrFromStrings(args)
	envp, envpErr := syscall.SlicePtrFromStrings(environment)
	if err := errors.Join(pathErr, argvErr, envpErr); err != nil {
		return fmt.Errorf("execute %s: %w", file, err)
	}
	if err := closeOthers(b.start.read, b.failed.write); err != nil {
		return fmt.Errorf("close descriptors: %w", err)
	}
	pid, errno := forkExec(path, &argv[0], &envp[0], b.start.read, b.failed.write)
	if errno == unix.ENOMEM {
		// That is what a namespace says whose first process has ended (pid_namespaces(7)).
		return errors.New("make a process in the container: it is ending, or the host has no memory left")
	}
	if errno != 0 {
		return fmt.Errorf("make a process in the container: %w", errno)
	}
	b.pid = pid
	// Not only at the end of this thread: what execute reads ends with the last one who could write.
	unix.Close(b.start.read)
	unix.Close(b.failed.write)
	return nil
}

// closeOthers closes what this thread has open but 0 to 2 and two more.
func closeOthers(kept ...int) error {
	slices.Sort(kept)
	first := 3
	for _, fd := range append(kept, math.MaxInt32) {
		if first < fd {
			if err := unix.CloseRange(uint(first), uint(fd-1), 0); err != nil {
				return err
			}
		}
		first = fd + 1
	}
	return nil
}

// execute has the child execute its program, and returns why that failed.
func (b *birth) execute() error {
	// Once the child has ended, reading ends.
	unix.Close(b.start.read)
	unix.Close(b.failed.write)
	if _, err := unix.Write(b.start.write, []byte{0}); err != nil && !errors.Is(err, unix.EPIPE) {
		return err
	}
	// Root inside may have the child write what it likes.
	var number [8]byte
	for {
		n, err := unix.Read(b.failed.read, number[:])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case n == len(number):
			return syscall.Errno(binary.NativeEndian.Uint64(number[:]))
		default:
			return nil
		}
	}
}

// wait returns the child's exit status: 128 and the signal's number where one ended it.
func (b *birth) wait() (int, error) {
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(b.pid, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 1, fmt.Errorf("wait for the command: %w", err)
		case status.Signaled():
			return 128 + int(status.Signal()), nil
		default:
			return status.ExitStatus(), nil
		}
	}
}

// sigaction is struct sigaction of rt_sigaction(2), whose handler comes first, and room.
type sigaction [8]uintptr

// forkExec is fork(2), with the child's signals as a program expects them. The child reads a byte and executes, or
// writes the number of an error. In it there is only this thread: nothing that needs another, or allocates, or grows
// the stack, may be called. clone3(2), which could reset signals, is what filters of system calls do not allow.
//
//go:noinline
//go:norace
//go:nocheckptr
func forkExec(path *byte, argv, envp **byte, wait, failed int) (pid int, errno syscall.Errno) {
	const setSize = 8
	all, before, word := ^uint64(0), uint64(0), uint64(0)
	var old, usual sigaction
	// No signal is for the runtime in the child.
	_, _, errno = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&all)),
		uintptr(unsafe.Pointer(&before)), setSize, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	child, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || child != 0 {
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&before)), 0, setSize,
			0, 0)
		return int(child), errno
	}
	for number := uintptr(1); number <= lastSignal; number++ {
		_, _, errno = unix.RawSyscall6(unix.SYS_RT_SIGACTION, number, 0, uintptr(unsafe.Pointer(&old)), setSize, 0, 0)
		if errno == 0 && old[0] != ignored {
			_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, number, uintptr(unsafe.Pointer(&usual)), 0, setSize, 0, 0)
		}
	}
	told, _, _ := unix.RawSyscall(unix.SYS_READ, uintptr(wait), uintptr(unsafe.Pointer(&word)), 1)
	if told == 1 {
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&before)), 0, setSize,
			0, 0)
		_, _, errno = unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(argv)),
			uintptr(unsafe.Pointer(envp)))
		word = uint64(errno)
		_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(failed), uintptr(unsafe.Pointer(&word)), unsafe.Sizeof(word))
	}
	for {
		_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, StatusNotFound, 0, 0)
	}
}

const (
	lastSignal = 64
	ignored    = 1 // SIG_IGN
)
