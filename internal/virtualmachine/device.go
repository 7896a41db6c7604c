// SPDX-License-Identifier: Apache-2.0

package virtualmachine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/guest"
)

// deviceLimit is how long a device may take to appear once its driver is there.
const deviceLimit = 10 * time.Second

// await calls find until it has found something.
func await(what string, find func() (string, bool)) (string, error) {
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		if found, ok := find(); ok {
			return found, nil
		}
		if time.Since(begun) > deviceLimit {
			return "", fmt.Errorf("wait for %s: there is none after %v", what, deviceLimit)
		}
	}
}

// byAttribute finds the device below a directory of sysfs that has a value in one of its files.
func byAttribute(dir, attribute, value string) (string, bool) {
	files, _ := filepath.Glob(filepath.Join(dir, "*", attribute))
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil && strings.TrimRight(string(data), "\n") == value {
			return strings.Split(strings.TrimPrefix(file, dir+"/"), "/")[0], true
		}
	}
	return "", false
}

// openPort opens the virtio-serial port of a name.
func openPort(name string) (*os.File, error) {
	device, err := await(
		"the port "+name,
		func() (string, bool) { return byAttribute("/sys/class/virtio-ports", "name", name) },
	)
	if err != nil {
		return nil, err
	}
	port, err := os.OpenFile("/dev/"+device, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open the port to the caller: %w", err)
	}
	return port, nil
}

// findDisk returns the name of the disk with a serial number.
func findDisk(serial string) (string, error) {
	return await(
		"a disk with serial number "+serial,
		func() (string, bool) { return byAttribute("/sys/block", "serial", serial) },
	)
}

// linkDisk makes the disk's name by its tag.
func linkDisk(d guest.MachineDisk) error {
	if d.Tag == "" || d.Tag == "." || d.Tag == ".." || strings.Contains(d.Tag, "/") {
		return fmt.Errorf("disk tag %q: it must be the name of a file", d.Tag)
	}
	device, err := findDisk(d.Serial)
	if err != nil {
		return err
	}
	return guest.LinkDisks([]guest.Disk{{Tag: d.Tag, Device: filepath.Join("/dev", device)}})
}

// signature is what a file system can be told by.
type signature struct {
	kind   string
	offset int64
	magic  string
}

func signatures() []signature {
	return []signature{{"ext4", 0x438, "\x53\xef"}, {"xfs", 0, "XFSB"}, {"btrfs", 0x10040, "_BHRfS_M"}}
}

// fileSystem tells which of the file systems that a sandbox can have is on a device.
func fileSystem(device string) (string, error) {
	file, err := os.Open(device)
	if err != nil {
		return "", err
	}
	defer file.Close()
	for _, s := range signatures() {
		data := make([]byte, len(s.magic))
		if _, err := file.ReadAt(data, s.offset); err == nil && string(data) == s.magic {
			return s.kind, nil
		} else if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s has neither ext4, XFS nor Btrfs", device)
}

// loadModules loads those of a kind of use, in the order of the list.
func loadModules(use string) error {
	list, err := os.ReadFile(guest.ModuleList)
	if err != nil {
		return fmt.Errorf("load modules: %w", err)
	}
	words, found := findUse(string(list), use)
	if !found {
		return fmt.Errorf("load modules: there are none for %s: %w", use, fs.ErrNotExist)
	}
	for _, word := range words {
		name, optional := strings.CutPrefix(word, guest.ModuleOptional)
		if err := loadModule(filepath.Join(guest.ModuleDir, name)); err != nil && !optional {
			return fmt.Errorf("load module %s: %w", name, err)
		}
	}
	return nil
}

func findUse(list, use string) ([]string, bool) {
	for line := range strings.Lines(list) {
		if words := strings.Fields(line); len(words) > 0 && words[0] == use {
			return words[1:], true
		}
	}
	return nil, false
}

func loadModule(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}
