// SPDX-License-Identifier: Apache-2.0

package namespace

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// AsContainerRoot calls f as the user of the host that is root in a container, which takes whoever else asks for
// nobody. The caller is root; with 0 f is called as it is.
func AsContainerRoot(uid uint32, f func() error) error {
	if uid == 0 {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Of this thread alone, unlike syscall.Seteuid.
	if err := setThreadUID(int(uid)); err != nil {
		return fmt.Errorf("become root of the container: %w", err)
	}
	failure := f()
	if err := setThreadUID(0); err != nil {
		// A thread that stays so must not go on with other work.
		panic(fmt.Sprintf("cannot become root again: %v", err))
	}
	return failure
}

// setThreadUID sets the effective user of this thread (setresuid(2)).
func setThreadUID(uid int) error {
	if _, _, err := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); err != 0 {
		return err
	}
	return nil
}
