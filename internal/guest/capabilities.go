// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dropCapabilities takes capabilities from this process and all that come from it: what made the container is not for
// those who live in it.
func dropCapabilities(numbers []uint32) error {
	for _, number := range numbers {
		// Of every thread, since any of them may start the command.
		_, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(number), 0)
		if errno != 0 {
			return fmt.Errorf("drop capability %d from the bounding set: %w", number, errno)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	for _, number := range numbers {
		bit := uint32(1) << (number % 32)
		data[number/32].Effective &^= bit
		data[number/32].Permitted &^= bit
	}
	// What is inheritable would come back when root executes a program.
	data[0].Inheritable, data[1].Inheritable = 0, 0
	_, _, errno := syscall.AllThreadsSyscall(
		unix.SYS_CAPSET,
		uintptr(unsafe.Pointer(&header)),
		uintptr(unsafe.Pointer(&data[0])),
		0,
	)
	if errno != 0 {
		return fmt.Errorf("drop capabilities: %w", errno)
	}
	return nil
}
