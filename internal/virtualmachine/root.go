// SPDX-License-Identifier: Apache-2.0

package virtualmachine

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/mountpoint"
)

const kernelFlags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// mountKernel mounts what the kernel shows, in the initrd.
func mountKernel() error {
	for _, m := range []struct {
		kind, target string
		flags        uintptr
		options      string
	}{
		{"proc", "/proc", kernelFlags, ""},
		{"sysfs", "/sys", kernelFlags, ""},
		{"devtmpfs", "/dev", unix.MS_NOSUID, "mode=755"},
	} {
		if err := mountAt(m.kind, m.kind, m.target, m.flags, m.options); err != nil {
			return err
		}
	}
	return nil
}

func mountAt(source, kind, target string, flags uintptr, options string) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", target, err)
	}
	if err := unix.Mount(source, target, kind, flags, options); err != nil {
		return fmt.Errorf("mount %s (%s): %w", target, kind, err)
	}
	return nil
}

// Places in the initrd.
const (
	newRoot  = "/sysroot"
	lowerDir = "/lower"
	layerDir = "/layer"
)

// shareOptions are those of 9p (Documentation/filesystems/9p.rst of the kernel): few and large messages, for each
// leaves the machine. What cannot change inside is kept in its cache.
func shareOptions(readOnly bool) string {
	const options = "trans=virtio,version=9p2000.L,msize=512000,cache="
	if readOnly {
		return options + "loose"
	}
	return options + "mmap"
}

// mountRoot mounts the machine's root with all that belongs to every one, and makes it this process's.
func mountRoot(m *guest.Machine) error {
	switch {
	case m.RootTag == "":
		if err := makeRoot(m); err != nil {
			return err
		}
	case m.Overlay:
		if err := mountShare(m.RootTag, lowerDir); err != nil {
			return err
		}
		if err := mountOverlay(); err != nil {
			return err
		}
	default:
		if err := mountShare(m.RootTag, newRoot); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/proc", "/sys", "/dev"} {
		target := newRoot + dir
		if err := placeIn(m, target); err != nil {
			return err
		}
		if err := unix.Mount(dir, target, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s into the root: %w", dir, err)
		}
	}
	for _, f := range []struct {
		kind, target string
		flags        uintptr
		options      string
	}{
		{"tmpfs", "/run", unix.MS_NOSUID | unix.MS_NODEV, "mode=755"},
		{"tmpfs", "/tmp", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
		{"tmpfs", "/dev/shm", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
		{"devpts", "/dev/pts", unix.MS_NOSUID | unix.MS_NOEXEC, "gid=5,mode=620,ptmxmode=666"},
	} {
		if err := mountAt(f.kind, f.kind, newRoot+f.target, f.flags, f.options); err != nil {
			return err
		}
	}
	own := filepath.Dir(guest.ProgramFile)
	if err := os.Mkdir(newRoot+own, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", own, err)
	}
	if err := unix.Mount(own, newRoot+own, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s: %w", own, err)
	}
	if err := guest.MakeReadOnly(newRoot + own); err != nil {
		return fmt.Errorf("make %s read-only: %w", own, err)
	}
	if err := switchRoot(); err != nil {
		return err
	}
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0",
		"stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(target, "/dev/"+name); err != nil {
			return fmt.Errorf("link devices: %w", err)
		}
	}
	return serveModprobe()
}

// isMade reports whether the root is in memory, or has some above it, so that something can be made in it.
func isMade(m *guest.Machine) bool { return m.Overlay || m.RootTag == "" }

func mountShare(tag, target string) error {
	return mountAt(tag, "9p", target, unix.MS_RDONLY, shareOptions(true))
}

// makeRoot makes a root in memory: what of the host is shown comes by shares that are mounted in it.
func makeRoot(m *guest.Machine) error {
	if err := mountAt("tmpfs", "tmpfs", newRoot, unix.MS_NODEV, "mode=755"); err != nil {
		return err
	}
	for _, dir := range m.Dirs {
		if err := os.Mkdir(newRoot+dir, 0o755); err != nil {
			return fmt.Errorf("make a directory of the root: %w", err)
		}
	}
	for _, l := range m.Links {
		if err := os.Symlink(l.Target, newRoot+l.Path); err != nil {
			return fmt.Errorf("make a link of the root: %w", err)
		}
	}
	return nil
}

// placeIn makes a directory to mount on where the root can have one made.
func placeIn(m *guest.Machine, target string) error {
	if !isMade(m) {
		return nil
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", target, err)
	}
	return nil
}

func mountOverlay() error {
	if err := mountAt("tmpfs", "tmpfs", layerDir, 0, "mode=755"); err != nil {
		return err
	}
	for _, dir := range []string{"/upper", "/work"} {
		if err := os.Mkdir(layerDir+dir, 0o755); err != nil {
			return fmt.Errorf("make %s%s: %w", layerDir, dir, err)
		}
	}
	return mountAt("overlay", "overlay", newRoot, 0, "lowerdir="+lowerDir+",upperdir="+layerDir+"/upper,workdir="+layerDir+
		"/work")
}

// switchRoot makes the new root what "/" is. An initrd's own root cannot be taken off (pivot_root(2)), only covered.
func switchRoot() error {
	if err := os.Chdir(newRoot); err != nil {
		return fmt.Errorf("switch root: %w", err)
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("switch root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("switch root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("switch root: %w", err)
	}
	return nil
}

func mountInside(m guest.MachineMount) error {
	if m.Kind == guest.MountBind {
		return bindInside(m.Source, m.Target)
	}
	if err := mountpoint.Make(m.Target, coverWithMemory); err != nil {
		return err
	}
	var flags uintptr
	if m.ReadOnly {
		flags = unix.MS_RDONLY
	}
	switch m.Kind {
	case guest.MountShare:
		return unix.Mount(m.Source, m.Target, "9p", flags, shareOptions(m.ReadOnly))
	case guest.MountRAM:
		return unix.Mount(
			"tmpfs",
			m.Target,
			"tmpfs",
			flags|unix.MS_NOSUID|unix.MS_NODEV,
			"mode=755,size="+strconv.FormatUint(m.Size, 10),
		)
	case guest.MountImage:
		return mountImage(m.Source, m.Target, flags)
	}
	return fmt.Errorf("%q is no kind of mount", m.Kind)
}

func coverWithMemory(dir string) error {
	return mountAt("tmpfs", "tmpfs", dir, unix.MS_NOSUID|unix.MS_NODEV, "mode=755")
}

func mountImage(serial, target string, flags uintptr) error {
	device, err := findDisk(serial)
	if err != nil {
		return err
	}
	file := "/dev/" + device
	kind, err := fileSystem(file)
	if err != nil {
		return err
	}
	if err := unix.Mount(file, target, kind, flags, ""); err != nil {
		return fmt.Errorf("%s of disk %s: %w", kind, serial, err)
	}
	return nil
}
