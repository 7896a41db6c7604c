// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
)

// hierarchy is one of /proc/self/cgroup (cgroups(7)) by its controllers: "cpu,cpuacct", "name=systemd", or "" for
// version 2.
type hierarchy string

func (h hierarchy) mount(target string) error {
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if h == "" {
		return unix.Mount("cgroup", target, "cgroup2", flags, "")
	}
	options := string(h)
	if strings.HasPrefix(options, "name=") {
		options = "none," + options
	}
	return unix.Mount("cgroup", target, "cgroup", flags, options)
}

// dirName is where systemd looks for a hierarchy on a host that has several.
func (h hierarchy) dirName() string {
	if h == "" {
		return "unified"
	}
	return strings.TrimPrefix(string(h), "name=")
}

func readHierarchies(text string) []hierarchy {
	var list []hierarchy
	for _, m := range cgroup.Parse(text) {
		list = append(list, hierarchy(m.Hierarchy))
	}
	return list
}

// enterCgroups moves this process into a cgroup of its own, below the one that libvirt made so that it ends with it,
// and makes that the root of what the container sees. Otherwise the container's systemd would make its groups at the
// root of the host's tree and share them with those of other containers. In a user namespace, those stay out of sight
// that were not given to its root; the processes are in libvirt's group then.
func enterCgroups(name string, mapped bool) error {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return fmt.Errorf("read own cgroups: %w", err)
	}
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	hierarchies := given(readHierarchies(string(text)), mounts)
	// A mount made in the host's namespace would show the host's tree, and set the options of all its mounts of version 2.
	if err := unshareCgroups(); err != nil {
		return err
	}
	var entered []hierarchy
	for _, h := range hierarchies {
		err := enter(h, cgroup.OwnName(name))
		if mapped && (errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EOVERFLOW)) {
			continue
		}
		if err != nil {
			return fmt.Errorf("enter a cgroup of %q: %w", h, err)
		}
		entered = append(entered, h)
	}
	if err := unshareCgroups(); err != nil {
		return err
	}
	if err := unmountBelow(cgroup.Root); err != nil {
		return err
	}
	return mountCgroups(slices.DeleteFunc(entered, hierarchy.freezes))
}

// freezes reports whether a hierarchy is that of version 1 by which processes are frozen so that not even SIGKILL ends
// them. It is entered, since the host freezes the container by it, but not shown: systemd has no use for it.
func (h hierarchy) freezes() bool { return slices.Contains(strings.Split(string(h), ","), "freezer") }

// isScarce reports whether the kernel has so few groups of a hierarchy of version 1 that a container could use up those
// of the host: 65,535 that bound memory. Programs read their own there; in version 2 the host bounds how many are made.
func (h hierarchy) isScarce() bool { return slices.Contains(strings.Split(string(h), ","), "memory") }

// hideCgroups leaves this process in the groups that libvirt made, and shows nothing of those of the host: a command
// makes none of its own, and each group that is entered costs more time than such a command takes. Where there is
// version 2 alone, the container's own group can be read.
func hideCgroups() error {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return fmt.Errorf("read own cgroups: %w", err)
	}
	if err := unshareCgroups(); err != nil {
		return err
	}
	if err := unmountBelow(cgroup.Root); err != nil {
		return err
	}
	hierarchies := readHierarchies(string(text))
	if len(hierarchies) != 1 || hierarchies[0] != "" {
		return nil
	}
	if err := mountCgroups(hierarchies); err != nil {
		return err
	}
	if err := MakeReadOnly(cgroup.Root); err != nil {
		return fmt.Errorf("make %s read-only: %w", cgroup.Root, err)
	}
	return nil
}

// unshareCgroups makes the cgroups that this process is in the roots of what it sees.
func unshareCgroups() error {
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("unshare cgroup namespace: %w", err)
	}
	return nil
}

// given selects the hierarchies that libvirt mounted for the container, and version 2. Of the others, libvirt made no
// group for it, and they are not shown. On a host of version 1 the container's systemd tracks its units' processes in
// the tree of version 2: in a cgroup namespace version 1 does not tell it when a group has become empty.
func given(hierarchies []hierarchy, mounts []*mountinfo.Info) []hierarchy {
	var list []hierarchy
	for _, h := range hierarchies {
		if h == "" || slices.ContainsFunc(mounts, func(m *mountinfo.Info) bool { return cgroup.Shows(m, string(h)) }) {
			list = append(list, h)
		}
	}
	return list
}

func enter(h hierarchy, name string) error {
	// A mount of our own shows the group that libvirt made, wherever and whether libvirt mounted it.
	const view = "/run/.virt-sandbox-cgroup"
	if err := os.Mkdir(view, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	defer os.Remove(view)
	if err := h.mount(view); err != nil {
		return err
	}
	defer unix.Unmount(view, unix.MNT_DETACH)
	child := filepath.Join(view, name)
	if err := os.Mkdir(child, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		// Version 1 refuses processes in a new group until it has both.
		if value, err := os.ReadFile(filepath.Join(view, file)); err == nil && strings.Contains(string(h), "cpuset") {
			if err := writeExisting(filepath.Join(child, file), value); err != nil {
				return err
			}
		}
	}
	return writeExisting(filepath.Join(child, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())))
}

// writeExisting writes to a file of the kernel's, which no policy lets a container create.
func writeExisting(name string, data []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}

func unmountBelow(dir string) error {
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	for i := len(mounts) - 1; i >= 0; i-- {
		if p := mounts[i].Mountpoint; pathname.IsWithin(p, dir) {
			if err := unix.Unmount(p, unix.MNT_DETACH); err != nil {
				return fmt.Errorf("unmount %s: %w", p, err)
			}
		}
	}
	return nil
}

// jointControllers are the names that systemd has for controllers of version 1 which it mounts together.
func jointControllers() map[string]string {
	const cpu, network = "cpu,cpuacct", "net_cls,net_prio"
	return map[string]string{"cpu": cpu, "cpuacct": cpu, "net_cls": network, "net_prio": network}
}

func mountCgroups(hierarchies []hierarchy) error {
	if len(hierarchies) == 1 && hierarchies[0] == "" {
		if err := hierarchies[0].mount(cgroup.Root); err != nil {
			return fmt.Errorf("mount %s: %w", cgroup.Root, err)
		}
		return nil
	}
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount("tmpfs", cgroup.Root, "tmpfs", flags, "mode=755,size=64k"); err != nil {
		return fmt.Errorf("mount %s: %w", cgroup.Root, err)
	}
	for _, h := range hierarchies {
		dir := filepath.Join(cgroup.Root, h.dirName())
		if err := os.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("mount cgroups: %w", err)
		}
		if err := h.mount(dir); err != nil {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
		if h.isScarce() {
			if err := MakeReadOnly(dir); err != nil {
				return fmt.Errorf("make %s read-only: %w", dir, err)
			}
		}
		for single := range strings.SplitSeq(string(h), ",") {
			if single != string(h) {
				if err := os.Symlink(h.dirName(), filepath.Join(cgroup.Root, single)); err != nil {
					return fmt.Errorf("mount cgroups: %w", err)
				}
			}
		}
	}
	for single, joint := range jointControllers() {
		// systemd says that it cannot make these, where they are not there.
		if err := os.Symlink(joint, filepath.Join(cgroup.Root, single)); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("mount cgroups: %w", err)
		}
	}
	// systemd would mount every other controller of the kernel here, at its root, which all containers would share.
	if err := unix.Mount("tmpfs", cgroup.Root, "tmpfs", flags|unix.MS_REMOUNT|unix.MS_RDONLY,
		"mode=755,size=64k"); err != nil {
		return fmt.Errorf("make %s read-only: %w", cgroup.Root, err)
	}
	return nil
}
