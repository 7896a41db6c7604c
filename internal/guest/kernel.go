// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// tunables are the files of the kernel's own file systems that set it up for all, those that the container's network
// has for itself apart, which libvirt mounts below /proc/sys.
func tunables() []string {
	return []string{"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/sys"}
}

// telltales are the files that tell of the kernel and the host, and what there is to administer them.
func telltales() []string {
	return []string{
		"/proc/acpi", "/proc/asound", "/proc/kallsyms", "/proc/kcore", "/proc/key-users", "/proc/keys", "/proc/kmsg",
		"/proc/kpagecgroup", "/proc/kpagecount", "/proc/kpageflags", "/proc/latency_stats", "/proc/sched_debug",
		"/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/proc/vmallocinfo",
		"/sys/firmware", "/sys/fs/bpf", "/sys/fs/pstore", "/sys/kernel/config", "/sys/kernel/debug", "/sys/kernel/security",
		"/sys/kernel/tracing",
	}
}

// rootsOwn are the files there that only the host's root may read, which it is that without ids of its own reads them:
// numbers of hardware, what the kernel's memory is used for, and a file each of whose reads makes a device of the host.
func rootsOwn() []string {
	return []string{
		"/proc/pagetypeinfo", "/proc/slabinfo", "/sys/class/zram-control", "/sys/devices/virtual/dmi", "/sys/kernel/mm/damon",
	}
}

// busesOfHost are the directories below a sysfs with the devices of PCI: their files resource0 and so on are the
// registers and the memory of devices, which only the host's root may read. Where an interface of the network is among
// them, which is the host's then, programs look for it there.
func busesOfHost(sys string) []string {
	interfaces, _ := filepath.Glob(filepath.Join(sys, "class/net/*"))
	for _, i := range interfaces {
		if place, err := os.Readlink(i); err == nil && strings.Contains(place, "/devices/pci") {
			return nil
		}
	}
	buses, _ := filepath.Glob(filepath.Join(sys, "devices/pci*"))
	return buses
}

// protectKernel makes files read-only that set up the kernel.
func protectKernel() error {
	for _, p := range tunables() {
		err := MakeReadOnly(p)
		if errors.Is(err, unix.EINVAL) {
			// It is no mount point yet.
			if err = unix.Mount(p, p, "", unix.MS_BIND, ""); err == nil {
				err = MakeReadOnly(p)
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("make %s read-only: %w", p, err)
		}
	}
	return nil
}

// hideKernel covers what tells of the kernel with an empty file and an empty directory, both read-only. A container
// with ids of its own cannot open what only the host's root may: each cover less is a mount less for all who look.
func hideKernel(hasOwnIDs bool) error {
	const covers = "/run/.virt-sandbox-covers"
	file, dir := filepath.Join(covers, "file"), filepath.Join(covers, "directory")
	if err := os.Mkdir(covers, 0o700); err != nil {
		return fmt.Errorf("hide the kernel: %w", err)
	}
	defer os.Remove(covers)
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount("tmpfs", covers, "tmpfs", flags, "mode=755,size=4k"); err != nil {
		return fmt.Errorf("hide the kernel: %w", err)
	}
	defer unix.Unmount(covers, unix.MNT_DETACH)
	if err := errors.Join(os.WriteFile(file, nil, 0o444), os.Mkdir(dir, 0o555)); err != nil {
		return fmt.Errorf("hide the kernel: %w", err)
	}
	// What is bound from it is read-only with it.
	if err := MakeReadOnly(covers); err != nil {
		return fmt.Errorf("hide the kernel: %w", err)
	}
	places := telltales()
	if !hasOwnIDs {
		places = slices.Concat(places, rootsOwn(), busesOfHost("/sys"))
	}
	for _, p := range places {
		info, err := os.Lstat(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("hide %s: %w", p, err)
		}
		if hasOwnIDs && info.Mode().IsRegular() && info.Mode().Perm()&0o077 == 0 {
			continue
		}
		cover := file
		if info.IsDir() {
			cover = dir
		}
		if err := unix.Mount(cover, p, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("hide %s: %w", p, err)
		}
	}
	return nil
}
