// SPDX-License-Identifier: Apache-2.0

package image

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

const qemuNBD = "qemu-nbd"

// CheckNBD reports whether this machine can use qcow2 images, and what it lacks. The kernel's module is loaded where
// that is possible, which it is not for a unit of a container: that one wants modprobe@nbd.service.
func CheckNBD() error {
	if _, err := exec.LookPath(qemuNBD); err != nil {
		return errors.New("a qcow2 image needs qemu-nbd, which is not installed; install qemu-utils (Debian) or qemu-img " +
			"(Fedora), or use a raw image")
	}
	if !hasNBD() {
		_ = exec.Command("modprobe", "nbd").Run()
	}
	for begun := time.Now(); !hasNBD(); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat("/sys/module/nbd"); err != nil || time.Since(begun) > time.Second {
			return errors.New("a qcow2 image needs the kernel's module nbd, and there is no /dev/nbd0; load it with " +
				"\"modprobe nbd\" if the kernel has it, or use a raw image")
		}
	}
	return nil
}

func hasNBD() bool {
	_, err := os.Stat("/dev/nbd0")
	return err == nil
}

// NBDOf returns the nbd device of a file, "" where it has none.
func NBDOf(file string) (string, error) {
	connected, err := filepath.Glob("/sys/block/nbd*/pid")
	if err != nil {
		return "", err
	}
	for _, attribute := range connected {
		pid, err := os.ReadFile(attribute)
		if err != nil {
			continue // Disconnected meanwhile.
		}
		number, err := strconv.Atoi(strings.TrimSpace(string(pid)))
		if err != nil {
			continue
		}
		args, err := proc.Host.Arguments(number)
		if err != nil {
			continue
		}
		if filepath.Base(args[0]) == qemuNBD && args[len(args)-1] == file {
			return "/dev/" + strings.Split(attribute, "/")[3], nil
		}
	}
	return "", nil
}

// ConnectNBD makes a block device of a file that is not raw, and needs no other files.
func ConnectNBD(file string, format config.ImageFormat, run Runner) (string, error) {
	if err := checkSelfContained(file, format); err != nil {
		return "", err
	}
	if err := CheckNBD(); err != nil {
		return "", err
	}
	devices, err := filepath.Glob("/sys/block/nbd*")
	if err != nil {
		return "", err
	}
	slices.SortFunc(devices, func(a, b string) int { return len(a) - len(b) })
	var failure error
	for _, dir := range devices {
		if _, err := os.Stat(dir + "/pid"); err == nil {
			continue
		}
		device := "/dev/" + filepath.Base(dir)
		failure = run(nbdArguments(device, file, format))
		if failure == nil {
			return device, awaitSize(dir)
		}
		if _, err := os.Stat(dir + "/pid"); err != nil {
			// It is free as before, so that it is not the device that is to blame.
			break
		}
	}
	if failure == nil {
		return "", errors.New("all nbd devices are in use; load the module with a greater nbds_max")
	}
	return "", fmt.Errorf("make a block device of %s: %w", file, failure)
}

// nbdArguments are those of qemu-nbd. The format is said, since a file that says it itself can name any other; of qcow2
// checkSelfContained has looked for that.
func nbdArguments(device, file string, format config.ImageFormat) []string {
	return []string{qemuNBD, "--fork", "--connect=" + device, "--format=" + string(format), "--discard=unmap", "--", file}
}

// awaitSize waits until the kernel has the size of a device that was connected.
func awaitSize(dir string) error {
	for range 500 {
		if text, err := os.ReadFile(dir + "/size"); err == nil && strings.TrimSpace(string(text)) != "0" {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("the kernel finds nothing in %s", filepath.Base(dir))
}

// DisconnectNBD ends the block device of a file, when all is written that was written to it.
func DisconnectNBD(file string) error {
	device, err := NBDOf(file)
	if err != nil || device == "" {
		return err
	}
	if used, err := deviceInUse(device); err != nil || used != "" {
		return errors.Join(err, fmt.Errorf("%s of %s is in use by %s", device, file, used))
	}
	if fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
		err = unix.Fsync(fd)
		unix.Close(fd)
		if err != nil {
			return fmt.Errorf("write out %s: %w", device, err)
		}
	}
	if out, err := exec.Command(qemuNBD, "--disconnect", device).CombinedOutput(); err != nil {
		return fmt.Errorf("disconnect %s: %w: %s", device, err, strings.TrimSpace(string(out)))
	}
	for range 500 {
		if left, err := NBDOf(file); err != nil || left == "" {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s of %s does not end", device, file)
}
