// SPDX-License-Identifier: Apache-2.0

// Package image makes files with file systems in them and mounts these on the host: raw files through loop devices
// (loop(4)), qcow2 files through the kernel's nbd client and qemu-nbd(8). In: files and mount points; out: a mount, or
// an error with nothing left attached. It knows neither sandboxes nor libvirt; helper calls it, in the mount namespace
// in which the mounts are to be.
package image

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// Runner starts qemu-nbd with arguments and returns when it serves its device, or with what it complained of. Where it
// runs is the caller's: it must outlive who starts it, and what is mounted from the device.
type Runner func(args []string) error

// open opens an image, which must be a file: what its name could be otherwise must neither block nor be written to.
func open(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("open image: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open image %s: %w", file, err)
	}
	return f, nil
}

// attach returns the block device of an image, open: one that is there already, or a new one.
func attach(file string, format config.ImageFormat, run Runner) (*os.File, error) {
	if format == config.FormatQCOW2 {
		device, err := NBDOf(file)
		if err == nil && device == "" {
			device, err = ConnectNBD(file, format, run)
		}
		if err != nil {
			return nil, err
		}
		return os.OpenFile(device, os.O_RDWR|unix.O_CLOEXEC, 0)
	}
	f, err := open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	loops, err := loopsOf(f)
	if err != nil {
		return nil, err
	}
	for _, l := range loops {
		// A second device would be a second file system in the same blocks. This one is of a mount that something kept busy.
		if l.temporary {
			return os.OpenFile(l.device, os.O_RDWR|unix.O_CLOEXEC, 0)
		}
	}
	return attachLoop(f)
}

// InUse says who else works on the blocks of a file or block device; "" for nobody. mounts are the places where its
// file system may be mounted all the same.
func InUse(file string, mounts ...string) (string, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if info.Mode().Type() == os.ModeDevice {
		return deviceInUse(file)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is neither a regular file nor a block device", file)
	}
	loops, err := loopsOf(f)
	if err != nil {
		return "", err
	}
	for _, l := range loops {
		points, err := mountedFrom(l.number)
		if err != nil {
			return "", err
		}
		for _, point := range points {
			if !slices.Contains(mounts, point) {
				return "the mount at " + point, nil
			}
		}
		if !l.temporary {
			return l.device, nil
		}
	}
	// Such as QEMU takes, and qemu-nbd.
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: unix.SEEK_SET}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
		return "", fmt.Errorf("look for locks of %s: %w", file, err)
	}
	if lock.Type != unix.F_UNLCK {
		return "a program that has locked it, as QEMU does", nil
	}
	return "", nil
}

// deviceInUse asks the kernel whether a block device is mounted, or part of another.
func deviceInUse(device string) (string, error) {
	fd, err := unix.Open(device, unix.O_RDONLY|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.EBUSY) {
		return "the host: it is mounted, or part of a volume", nil
	}
	if err != nil {
		return "", &os.PathError{Op: "open", Path: device, Err: err}
	}
	unix.Close(fd)
	return "", nil
}
