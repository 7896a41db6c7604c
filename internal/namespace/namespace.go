// SPDX-License-Identifier: Apache-2.0

// Package namespace runs functions in namespaces of other processes (namespaces(7)), and as their users. In: a
// process and a function; out: what the function returns. The function has a thread for itself, and the rest of the
// program stays where it is. What the function starts in goroutines of its own is not in the namespace. Rooms that
// mount, or set up a network, call it.
package namespace

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// InHostMounts calls f in the mount namespace of the host, which libvirt has too: that of a unit passes no mounts on
// to it. Where the first process is out of reach, it calls f in the caller's own: this machine is a container itself
// then, and runs no units.
func InHostMounts(f func() error) error {
	file, err := os.Open(proc.Host.Namespace(1, "mnt"))
	if errors.Is(err, unix.EACCES) {
		return run(nil, 0, "", f)
	}
	if err != nil {
		return fmt.Errorf("enter the host's mount namespace: %w", err)
	}
	defer file.Close()
	return run(file, unix.CLONE_NEWNS, "the host's mount namespace", f)
}

// InOwnMounts calls f in a mount namespace that is a copy of the host's. What f mounts nobody else sees, and it goes
// with f, but for descriptors of mounts (open_tree(2)).
func InOwnMounts(f func() error) error {
	return InHostMounts(func() error {
		err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err != nil {
			return fmt.Errorf("make a mount namespace: %w", err)
		}
		return f()
	})
}

// InNetworkOf calls f in the network namespace of a container's process, which is given as a pidfd (pidfd_open(2)).
func InNetworkOf(pidfd *os.File, f func() error) error {
	return run(pidfd, unix.CLONE_NEWNET, "the container's network", f)
}

// run calls f on a thread of its own that has entered a namespace by its file or by the pidfd of a process (setns(2));
// nil for the caller's. name says in errors what is entered.
func run(file *os.File, kind int, name string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread has left the program's namespace for good and ends with the goroutine.
		runtime.LockOSThread()
		if err := enter(file, kind); err != nil {
			done <- fmt.Errorf("enter %s: %w", name, err)
			return
		}
		done <- f()
	}()
	return <-done
}

func enter(file *os.File, kind int) error {
	if file == nil {
		return nil
	}
	if kind&unix.CLONE_NEWNS != 0 {
		// A thread that shares its working directory with others may not change its mounts.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return err
		}
	}
	return unix.Setns(int(file.Fd()), kind)
}
