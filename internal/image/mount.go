// SPDX-License-Identifier: Apache-2.0

package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// Mount is the file system of an image at a place of the host.
type Mount struct {
	File    string
	Format  config.ImageFormat
	Target  string
	Context string // SELinux context of all files, "" where they have their own
}

// Attach mounts it, unless it is mounted there already.
func (m Mount) Attach(run Runner) error {
	device, err := mountedAt(m.Target)
	if err != nil {
		return err
	}
	if device != 0 {
		if ours, err := m.isOn(device); ours || err != nil {
			return err
		}
		return fmt.Errorf("mount image %s: something is mounted at %s already", m.File, m.Target)
	}
	if err := os.MkdirAll(m.Target, 0o700); err != nil {
		return fmt.Errorf("mount image %s: %w", m.File, err)
	}
	hidden, err := os.ReadDir(m.Target)
	if err == nil && len(hidden) > 0 {
		err = fmt.Errorf("%s, where it is to be mounted, is not empty; move away what is in there", m.Target)
	}
	if err != nil {
		return fmt.Errorf("mount image %s: %w", m.File, err)
	}
	f, err := attach(m.File, m.Format, run)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := mountFrom(f, m.Target, m.Context); err != nil {
		return fmt.Errorf("image %s: %w", m.File, err)
	}
	return nil
}

// busyLimit is how long who still uses a file system may take to end: processes that have been told to.
const busyLimit = 5 * time.Second

// Detach unmounts it with all that is written to it on its disk, and removes the mount point unless that has another
// use. busy says that something still uses it, so that it is out of sight but not gone: its files can be closed, and it
// can be mounted again.
func (m Mount) Detach() (busy bool, err error) {
	for {
		device, err := mountedAt(m.Target)
		if err != nil {
			return busy, err
		}
		ours, err := m.isOn(device)
		if err != nil {
			return busy, err
		}
		if !ours {
			break
		}
		if err := Sync(m.Target); err != nil && !errors.Is(err, unix.EIO) && !errors.Is(err, unix.EROFS) {
			return busy, err
		}
		left, err := m.unmount()
		if err != nil {
			return busy, fmt.Errorf("unmount image %s from %s: %w", m.File, m.Target, err)
		}
		busy = busy || left
	}
	if m.Format == config.FormatQCOW2 {
		if err := DisconnectNBD(m.File); err != nil {
			return busy, err
		}
	}
	if err := unix.Rmdir(m.Target); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTEMPTY) &&
		!errors.Is(err, unix.EBUSY) {
		return busy, fmt.Errorf("remove mount point %s: %w", m.Target, err)
	}
	return busy, nil
}

func (m Mount) unmount() (busy bool, err error) {
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		err := unix.Unmount(m.Target, unix.UMOUNT_NOFOLLOW)
		switch {
		case !errors.Is(err, unix.EBUSY):
			return false, err
		case time.Since(begun) < busyLimit:
		case m.Format == config.FormatQCOW2:
			// Out of sight, nothing would ever end its device.
			return false, err
		default:
			return true, unix.Unmount(m.Target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		}
	}
}

// Sync writes out all of the file system at dir, and tells what could not be written since it was mounted.
func Sync(dir string) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(fd)
	if err := unix.Syncfs(fd); err != nil {
		return &fs.PathError{Op: "write out", Path: dir, Err: err}
	}
	return nil
}

// isOn reports whether a mounted device is one of the image. Where nobody can tell any more, since the file or qemu-nbd
// is gone, any of the kind is (the kernel's admin-guide/devices.txt): whoever asks has noted that it mounts the image
// there.
func (m Mount) isOn(device uint64) (bool, error) {
	const loopMajor, nbdMajor = 7, 43
	if m.Format == config.FormatQCOW2 {
		return unix.Major(device) == nbdMajor, nil
	}
	if unix.Major(device) != loopMajor {
		return false, nil
	}
	f, err := open(m.File)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	loops, err := loopsOf(f)
	return slices.ContainsFunc(loops, func(l loop) bool { return l.number == device }), err
}

// mountedAt returns the device of what is mounted at a place, as this thread sees it; 0 for nothing.
func mountedAt(target string) (uint64, error) {
	mounts, err := mountsWhere(func(m *mountinfo.Info) bool { return m.Mountpoint == target })
	if err != nil || len(mounts) == 0 {
		return 0, err
	}
	// Of several the last is on top.
	return deviceOf(mounts[len(mounts)-1]), nil
}

// mountedFrom lists the places where the file system of a device is mounted.
func mountedFrom(device uint64) (points []string, err error) {
	mounts, err := mountsWhere(func(m *mountinfo.Info) bool { return deviceOf(m) == device })
	for _, m := range mounts {
		points = append(points, m.Mountpoint)
	}
	return points, err
}

func mountsWhere(wanted func(*mountinfo.Info) bool) ([]*mountinfo.Info, error) {
	mounts, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) { return !wanted(m), false })
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	return mounts, nil
}

func deviceOf(m *mountinfo.Info) uint64 { return unix.Mkdev(uint32(m.Major), uint32(m.Minor)) }
