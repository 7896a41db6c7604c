// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"fmt"
	"math"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// leaveKeyring gives this thread, and what it starts, a session keyring without a name or keys: those of whoever
// started it, which is libvirtd or a person with secrets in theirs, are not for the container. From the user's own
// keyring only the filter, or a user namespace, keeps it. A kernel without keys has none to keep.
func leaveKeyring() error {
	_, _, number := unix.Syscall(unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0)
	if number != 0 && number != unix.ENOSYS {
		return fmt.Errorf("leave the session keyring: %w", number)
	}
	return nil
}

// filterSystemCalls has the kernel hold this thread, and all of this process with SECCOMP_FILTER_FLAG_TSYNC among the
// flags, and what comes from them, to a program of package syscallfilter; none for no bounds. It needs CAP_SYS_ADMIN,
// or that nobody gains privileges any more: the latter would end set-user-ID programs.
func filterSystemCalls(program []byte, flags uintptr) error {
	const size = int(unsafe.Sizeof(unix.SockFilter{}))
	if len(program) == 0 {
		return nil
	}
	if len(program)%size != 0 || len(program)/size > math.MaxUint16 {
		return fmt.Errorf("read the filter of system calls: it is %d bytes long", len(program))
	}
	instructions := make([]unix.SockFilter, len(program)/size)
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&instructions[0])), len(program)), program)
	filter := unix.SockFprog{Len: uint16(len(instructions)), Filter: &instructions[0]}
	// Older kernels slow down every process that has a filter, for attacks that this one is no answer to.
	flags |= unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
	thread, _, number := unix.Syscall(
		unix.SYS_SECCOMP,
		unix.SECCOMP_SET_MODE_FILTER,
		flags,
		uintptr(unsafe.Pointer(&filter)),
	)
	runtime.KeepAlive(instructions)
	if number != 0 {
		return fmt.Errorf("filter system calls: %w", number)
	}
	if thread != 0 {
		return fmt.Errorf("filter system calls: thread %d has another filter", thread)
	}
	return nil
}
