// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dropCapabilities takes capabilities from this process and all that come from it: what made the container is not for
// those who live in it.
func dropCapabilities(numbers []uint32) error {
	kept := ^uint64(0)
	for _, number := range numbers {
		// Of every thread, since any of them may start the command.
		_, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(number), 0)
		if errno != 0 {
			return fmt.Errorf("drop capability %d from the bounding set: %w", number, errno)
		}
		kept &^= 1 << number
	}
	return keepCapabilities(syscall.AllThreadsSyscall, kept)
}

// callFunc makes a system call: on this thread, or on each.
type callFunc func(trap, a1, a2, a3 uintptr) (r1, r2 uintptr, err syscall.Errno)

// keepCapabilities takes all capabilities but those of a set from those whom call is for. Their bounding sets stay.
func keepCapabilities(call callFunc, kept uint64) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	for i := range data {
		data[i].Permitted &= uint32(kept >> (32 * i))
		data[i].Effective &= uint32(kept >> (32 * i))
		// What is inheritable would come back when root executes a program, and what is ambient goes with it.
		data[i].Inheritable = 0
	}
	_, _, errno := call(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	if errno != 0 {
		return fmt.Errorf("drop capabilities: %w", errno)
	}
	return nil
}

// limitBounding drops from this thread's bounding set what is not allowed.
func limitBounding(allowed uint64) error {
	for c := 0; c <= unix.CAP_LAST_CAP; c++ {
		if allowed&(1<<c) != 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return err
		}
	}
	return nil
}
