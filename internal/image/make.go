// SPDX-License-Identifier: Apache-2.0

package image

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// maker is the program that makes a file system, and the packages that have it.
type maker struct {
	program, packages string
	args              []string
}

func makerOf(t config.FileSystemType) maker {
	if t == config.XFS {
		return maker{"mkfs.xfs", "xfsprogs", []string{"-q"}}
	}
	// None is kept back for root: it is a container's alone.
	return maker{"mkfs.ext4", "e2fsprogs", []string{"-q", "-F", "-m", "0"}}
}

// CheckMake reports whether this machine can make images of a kind, and what it lacks.
func CheckMake(format config.ImageFormat, t config.FileSystemType) error {
	m := makerOf(t)
	if _, err := exec.LookPath(m.program); err != nil {
		return fmt.Errorf("an image with %s needs %s, which is not installed; install %s", t, m.program, m.packages)
	}
	if format != config.FormatQCOW2 {
		return nil
	}
	if _, err := exec.LookPath("qemu-img"); err != nil {
		return errors.New("a qcow2 image needs qemu-img, which is not installed; install qemu-utils (Debian) or qemu-img " +
			"(Fedora), or use a raw image")
	}
	return CheckNBD()
}

// Make makes a file that must not be there yet, sparse, with an empty file system in it. When it fails no file is left.
func Make(file string, format config.ImageFormat, t config.FileSystemType, size config.Size, run Runner) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("make image: %w", err)
	}
	defer f.Close()
	if format == config.FormatQCOW2 {
		err = makeQCOW2(file, t, size, run)
	} else {
		err = makeRaw(f, t, size)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		// Before it goes, and its space is free.
		err = ExplainFull(file, size, err)
		return errors.Join(fmt.Errorf("make image %s of %s: %w", file, size, err), os.Remove(file))
	}
	return nil
}

// makeRaw has the file system made on a loop device: SELinux policies let programs that do so work on devices only.
func makeRaw(f *os.File, t config.FileSystemType, size config.Size) error {
	if err := f.Truncate(int64(size)); err != nil {
		return err
	}
	device, err := attachLoop(f)
	if err != nil {
		return err
	}
	return errors.Join(makeOn(device.Name(), t), device.Close())
}

func makeOn(device string, t config.FileSystemType) error {
	m := makerOf(t)
	return command(append(append([]string{m.program}, m.args...), device)...)
}

func makeQCOW2(file string, t config.FileSystemType, size config.Size, run Runner) error {
	if err := command("qemu-img", "create", "-q", "-f", string(config.FormatQCOW2), "--", file,
		strconv.FormatUint(uint64(size), 10)); err != nil {
		return err
	}
	device, err := ConnectNBD(file, config.FormatQCOW2, run)
	if err != nil {
		return err
	}
	return errors.Join(makeOn(device, t), DisconnectNBD(file))
}

// command runs a program of the host; its last words are the reason why it failed.
func command(args ...string) error {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err == nil {
		return nil
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return fmt.Errorf("%s: %w: %s", args[0], err, bytes.TrimSpace(lines[len(lines)-1]))
}

// Remove removes an image that is not in use. One that is not there is no error.
func Remove(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove image: %w", err)
	}
	return nil
}

const temporarySuffix = ".virt-sandbox"

// Temporary names the file that an image is until it is complete: beside it, so that it can get its name in one step.
func Temporary(file string) string {
	i := strings.LastIndexByte(file, '/')
	return file[:i+1] + "." + file[i+1:] + temporarySuffix
}

// IsTemporary reports whether a name is one that Temporary gives.
func IsTemporary(file string) bool {
	base := file[strings.LastIndexByte(file, '/')+1:]
	return strings.HasPrefix(base, ".") && strings.HasSuffix(base, temporarySuffix)
}

// Settle gives a complete image its name. A file that has the name already stays, and is an error.
func Settle(file string) error {
	temporary := Temporary(file)
	if _, err := os.Lstat(temporary); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.Link(temporary, file); err != nil {
		// An interrupted run can have left both names.
		if !errors.Is(err, fs.ErrExist) || !hasBothNames(file) {
			return fmt.Errorf("name image: %w", err)
		}
	}
	return Remove(temporary)
}

// RemoveUnsettled removes an image that Settle did not finish. A file that has the image's name but is not the image is
// another's, put there meanwhile, and stays.
func RemoveUnsettled(file string) error {
	var err error
	if hasBothNames(file) {
		err = Remove(file)
	}
	return errors.Join(err, Remove(Temporary(file)))
}

func hasBothNames(file string) bool {
	a, errA := os.Lstat(Temporary(file))
	b, errB := os.Lstat(file)
	return errA == nil && errB == nil && os.SameFile(a, b)
}
