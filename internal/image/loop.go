// SPDX-License-Identifier: Apache-2.0

package image

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// loop is a loop device that is in use.
type loop struct {
	device    string
	number    uint64 // of the device
	temporary bool   // the kernel takes it away with its last user
}

// attachLoop puts a loop device before a file. The kernel takes it away when the last has closed it, be it the file
// system that is mounted from it: who is killed leaves none behind.
func attachLoop(file *os.File) (*os.File, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("get a loop device: %w; does the kernel have its module loop?", err)
	}
	defer control.Close()
	// Others take devices at the same time.
	for range 100 {
		number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("get a loop device: %w", err)
		}
		device, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", number), os.O_RDWR, 0)
		if err != nil {
			return nil, fmt.Errorf("open loop device: %w", err)
		}
		setting := unix.LoopConfig{Fd: uint32(file.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}}
		copy(setting.Info.File_name[:len(setting.Info.File_name)-1], file.Name())
		err = unix.IoctlLoopConfigure(int(device.Fd()), &setting)
		if err == nil {
			return device, nil
		}
		device.Close()
		if !errors.Is(err, unix.EBUSY) {
			return nil, fmt.Errorf("put %s before %s: %w", device.Name(), file.Name(), err)
		}
	}
	return nil, errors.New("get a loop device: others take each that is free")
}

// loopsOf lists the loop devices before a file.
func loopsOf(file *os.File) ([]loop, error) {
	var wanted unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &wanted); err != nil {
		return nil, fmt.Errorf("look for loop devices of %s: %w", file.Name(), err)
	}
	used, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return nil, err
	}
	var loops []loop
	for _, attribute := range used {
		name := strings.Split(attribute, "/")[3]
		device, err := os.OpenFile("/dev/"+name, os.O_RDONLY, 0)
		if err != nil {
			continue // Gone meanwhile.
		}
		info, err := unix.IoctlLoopGetStatus64(int(device.Fd()))
		var stat unix.Stat_t
		if err == nil {
			err = unix.Fstat(int(device.Fd()), &stat)
		}
		device.Close()
		if err == nil && info.Inode == wanted.Ino && info.Device == wanted.Dev {
			loops = append(loops, loop{device.Name(), stat.Rdev, info.Flags&unix.LO_FLAGS_AUTOCLEAR != 0})
		}
	}
	return loops, nil
}

// FreeLoops takes the loop devices from a file that is one sandbox's alone and not in use any more. Who can write to
// such a device can make it outlast its users.
func FreeLoops(file string) error {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for loop devices of %s: %w", file, err)
	}
	defer f.Close()
	loops, err := loopsOf(f)
	if err != nil {
		return err
	}
	for _, l := range loops {
		device, err := os.OpenFile(l.device, os.O_RDWR, 0)
		if err == nil {
			_, err = unix.IoctlRetInt(int(device.Fd()), unix.LOOP_CLR_FD)
			device.Close()
		}
		if err != nil && !errors.Is(err, unix.ENXIO) && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("take %s from %s: %w", l.device, file, err)
		}
	}
	return nil
}
