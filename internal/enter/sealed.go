// SPDX-License-Identifier: Apache-2.0

package enter

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// sealed returns a copy of a program in memory that nobody can change any more. Whoever sees a process of it can open
// what it executes (/proc/PID/exe) for good, and root inside sees one: with the host's file, root inside could write to
// that. A mount that is read-only would not do, as long as whoever holds a file of it can have its flags changed.
func sealed(program string) (_ *os.File, err error) {
	source, err := os.Open(program)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	fd, err := memory()
	if err != nil {
		return nil, fmt.Errorf("make a copy of %s in memory: %w", program, err)
	}
	copied := os.NewFile(uintptr(fd), program)
	defer func() {
		if err != nil {
			copied.Close()
			err = fmt.Errorf("make a copy of %s in memory: %w", program, err)
		}
	}()
	for {
		n, err := unix.Sendfile(fd, int(source.Fd()), nil, 1<<30)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
	}
	// Nobody but root of the host may read it: so the kernel lets nobody trace it who has a user namespace of his own.
	if err := copied.Chmod(0o711); err != nil {
		return nil, err
	}
	return copied, seal(fd)
}

// sealLimit is how long the kernel may hold pages of a copy after it was written.
const sealLimit = 5 * time.Second

// seal has nobody change a file of memory any more. On a busy machine the kernel itself holds pages of it for a moment,
// and cannot tell whether somebody writes to them: it says EBUSY (memfd_create(2)).
func seal(fd int) error {
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
		if !errors.Is(err, unix.EBUSY) || time.Since(begun) > sealLimit {
			return err
		}
	}
}

// memory makes a file of memory that may be executed. Kernels before 6.3 do not know of one that may not.
func memory() (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("virt-sandbox-init", flags|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) {
		return unix.MemfdCreate("virt-sandbox-init", flags)
	}
	return fd, err
}
