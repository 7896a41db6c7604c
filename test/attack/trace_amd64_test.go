// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// chrootTraced has a stopped process that waits in the kernel make the call in place of its own, and go on.
func chrootTraced(pid int, dir string) error {
	const instruction = 2 // bytes of the one that calls the kernel
	var before, now unix.PtraceRegs
	if err := unix.PtraceGetRegs(pid, &before); err != nil {
		return fmt.Errorf("read registers: %w", err)
	}
	path := uint64(before.Rsp-4096) &^ 15
	if _, err := unix.PtracePokeData(pid, uintptr(path), append([]byte(dir), 0)); err != nil {
		return fmt.Errorf("write its memory: %w", err)
	}
	now = before
	now.Rip -= instruction
	now.Rax, now.Rdi, now.Orig_rax = unix.SYS_CHROOT, path, ^uint64(0)
	if err := unix.PtraceSetRegs(pid, &now); err != nil {
		return err
	}
	if err := unix.PtraceSingleStep(pid); err != nil {
		return err
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err != nil {
		return err
	}
	if err := unix.PtraceGetRegs(pid, &now); err != nil {
		return err
	}
	if result := int64(now.Rax); result < 0 {
		return fmt.Errorf("have it change its root: %w", syscall.Errno(-result))
	}
	before.Rip -= instruction
	before.Rax = before.Orig_rax
	return unix.PtraceSetRegs(pid, &before)
}
