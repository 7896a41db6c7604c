// SPDX-License-Identifier: Apache-2.0

package namespace

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// WithRootOf calls f as the user and group of the host that are root in a container, with the capabilities that root of
// the host has (capabilities(7), SECBIT_NO_SETUID_FIXUP): files are made as that user, and mounts all the same. With 0
// f is called as it is.
func WithRootOf(id uint32, f func() error) error {
	if id == 0 {
		return f()
	}
	runtime.LockOSThread()
	before, err := unix.PrctlRetInt(unix.PR_GET_SECUREBITS, 0, 0, 0, 0)
	if err == nil {
		err = unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(before)|secbitNoSetuidFixup, 0, 0, 0)
	}
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("become root of the container: %w", err)
	}
	failure := setThreadIDs(id)
	if failure == nil {
		failure = f()
	}
	err = setThreadIDs(0)
	if err == nil {
		err = unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(before), 0, 0, 0)
	}
	if err != nil {
		// The thread stays locked, and ends with the goroutine.
		panic(fmt.Sprintf("cannot become root again: %v", err))
	}
	runtime.UnlockOSThread()
	return failure
}

// secbitNoSetuidFixup is SECBIT_NO_SETUID_FIXUP of linux/securebits.h.
const secbitNoSetuidFixup = 1 << 2

// setThreadIDs sets the effective user and group of this thread, unlike syscall.Setresuid.
func setThreadIDs(id uint32) error {
	keep := ^uintptr(0)
	if id != 0 {
		if _, _, err := unix.RawSyscall(unix.SYS_SETRESGID, keep, uintptr(id), keep); err != 0 {
			return fmt.Errorf("become root of the container: %w", err)
		}
	}
	if _, _, err := unix.RawSyscall(unix.SYS_SETRESUID, keep, uintptr(id), keep); err != 0 {
		return fmt.Errorf("become root of the container: %w", err)
	}
	if id == 0 {
		if _, _, err := unix.RawSyscall(unix.SYS_SETRESGID, keep, 0, keep); err != 0 {
			return fmt.Errorf("become root of the container: %w", err)
		}
	}
	return nil
}
