// SPDX-License-Identifier: Apache-2.0

// Package initrd makes what a virtual machine boots: the kernel, unpacked where it can be, and an initrd with
// virt-sandbox-init and the modules that the machine's devices need. In: a kernel release, its image and modules as a
// distribution installs them; out: files of a cache, and for each machine one with its plan. It knows no libvirt.
package initrd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/field"
)

// Kernel is one that a distribution has installed.
type Kernel struct {
	Release string // as uname -r says it
	Image   string // file
	Modules string // directory with modules.dep
}

// FindKernel looks for a kernel: by its release, that of the running one where it is empty, its image,
// /boot/vmlinuz-RELEASE where that is empty, and the directory that holds RELEASE/modules.dep, /lib/modules where that
// is empty. Errors: of a file that is missing or cannot be read, with what to do.
func FindKernel(release, image, modules string) (Kernel, error) {
	if release == "" {
		var name unix.Utsname
		if err := unix.Uname(&name); err != nil {
			return Kernel{}, fmt.Errorf("ask for the kernel's release: %w", err)
		}
		release = unix.ByteSliceToString(name.Release[:])
	}
	if len(release) > maxRelease || !releaseSyntax.MatchString(release) {
		return Kernel{}, fmt.Errorf("kernel release %q: it has characters that no release has", release)
	}
	if modules == "" {
		modules = "/lib/modules"
	}
	k := Kernel{Release: release, Image: image, Modules: filepath.Join(modules, release)}
	if k.Image == "" {
		k.Image = installedImage(release)
	}
	if err := readable(k.Image); err != nil {
		return Kernel{}, field.Errorf("kernel image: %w; %s, or name another by %s and %s",
			err, imageAdvice(err, release), field.KernelVersion, field.KernelPath)
	}
	for _, name := range []string{dependencyFile, builtinFile} {
		if err := readable(filepath.Join(k.Modules, name)); err != nil {
			return Kernel{}, field.Errorf("kernel modules: %w; install the modules of %s (they come with linux-image-%[2]s or "+
				"kernel-modules-%[2]s), run depmod %[2]s, or name another directory by %[3]s", err, release, field.KernelModules)
		}
	}
	return k, nil
}

// What uname(2) has room for, and more. The bound is not part of the expression, which would take a millisecond of each
// program's start.
const maxRelease = 128

var releaseSyntax = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.+~-]*$`)

// installedImage is where Debian, SUSE and Arch have an image, or where Fedora's kernel-core has it when nothing has
// put it into /boot.
func installedImage(release string) string {
	file := "/boot/vmlinuz-" + release
	if other := "/lib/modules/" + release + "/vmlinuz"; readable(file) != nil && readable(other) == nil {
		return other
	}
	return file
}

func imageAdvice(err error, release string) string {
	if errors.Is(err, fs.ErrPermission) {
		return "it must be readable for you"
	}
	return fmt.Sprintf("install linux-image-%s (Debian) or kernel-core-%[1]s (Fedora)", release)
}

// readable reports whether a regular file can be opened.
func readable(file string) error {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", file)
	}
	return nil
}
