// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"errors"
	"maps"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// mountAttempts change what is mounted, by the old calls and by the new.
func mountAttempts() []attempt {
	list := []attempt{
		{name: "remount-root", tries: "make / writable", fast: true, inside: remount("/")},
		{name: "remount-usr", tries: "make the host's /usr writable", fast: true, inside: remount("/usr")},
		{name: "remount-init", tries: "make the directory of init and its plan writable", inside: remount("/run/host")},
		{name: "remount-sysctl", tries: "make /proc/sys writable", inside: remount("/proc/sys")},
		{name: "bind-root", tries: "show / at another place", inside: func(*facts) error {
			return mounted("/", "", unix.MS_BIND|unix.MS_REC)
		}},
		{name: "uncover-sysctl", tries: "take the cover off /proc/sys", fast: true, inside: uncover("/proc/sys")},
		{name: "uncover-kcore", tries: "take the cover off /proc/kcore", inside: uncover("/proc/kcore")},
		{name: "uncover-run-host", tries: "take off what covers /run/host", inside: uncover("/run/host")},
		{name: "move-mount-old", tries: "move the mount of /run elsewhere", inside: func(*facts) error {
			return mounted("/run", "", unix.MS_MOVE)
		}},
		{name: "make-shared", tries: "have mounts pass on to the host", inside: func(*facts) error {
			return unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, "")
		}},
		{name: "pivot-root", tries: "change the root", inside: func(*facts) error { return unix.PivotRoot("/run", "/run") }},
		{name: "fsopen", tries: "make a file system by the new calls", fast: true, inside: func(*facts) error {
			_, err := unix.Fsopen("proc", 0)
			return err
		}},
		{name: "fspick", tries: "change the file system of /usr by the new calls", inside: func(*facts) error {
			_, err := unix.Fspick(unix.AT_FDCWD, "/usr", 0)
			return err
		}},
		{name: "open-tree", tries: "copy the mount of /usr", fast: true, inside: func(*facts) error {
			_, err := unix.OpenTree(unix.AT_FDCWD, "/usr", unix.OPEN_TREE_CLONE)
			return err
		}},
		{name: "move-mount", tries: "move a mount by the new calls", inside: func(*facts) error {
			return unix.MoveMount(unix.AT_FDCWD, "/run", unix.AT_FDCWD, "/mnt", 0)
		}},
		{name: "mount-setattr", tries: "make /usr writable by mount_setattr", fast: true, inside: func(*facts) error {
			return unix.MountSetattr(unix.AT_FDCWD, "/usr", 0, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY})
		}},
		{name: "overlay", tries: "lay a writable layer over /usr", inside: func(*facts) error {
			return errors.Join(os.MkdirAll("/tmp/u", 0o700), os.MkdirAll("/tmp/w", 0o700),
				unix.Mount("o", "/usr", "overlay", 0, "lowerdir=/usr,upperdir=/tmp/u,workdir=/tmp/w"))
		}},
		{name: "release-agent", tries: "mount cgroups of version 1 with a release_agent", fast: true,
			inside: func(*facts) error {
				dir, err := place()
				if err != nil {
					return err
				}
				return unix.Mount("c", dir, "cgroup", 0, "none,name=t-attack,release_agent=/bin/false")
			}},
	}
	for _, kind := range []string{
		"tmpfs", "proc", "sysfs", "devtmpfs", "devpts", "cgroup2", "debugfs", "tracefs", "securityfs", "bpf", "mqueue",
		"configfs", "fusectl", "binfmt_misc", "9p", "ext4", "nfs4",
	} {
		list = append(list, attempt{name: "mount-" + kind, tries: "mount " + kind, inside: func(*facts) error {
			return mounted("none", kind, 0)
		}})
	}
	return list
}

func place() (string, error) { return os.MkdirTemp("/tmp", "place") }

func mounted(source, kind string, flags uintptr) error {
	dir, err := place()
	if err != nil {
		return err
	}
	return unix.Mount(source, dir, kind, flags, "")
}

func remount(point string) func(*facts) error {
	return func(*facts) error { return unix.Mount("", point, "", unix.MS_REMOUNT|unix.MS_BIND, "") }
}

func uncover(point string) func(*facts) error {
	return func(*facts) error { return unix.Unmount(point, unix.MNT_DETACH) }
}

// namespaceAttempts make namespaces, in which root inside would have more capabilities, or enter others.
func namespaceAttempts() []attempt {
	list := []attempt{
		{name: "clone-user", tries: "fork into a user namespace", fast: true, inside: func(*facts) error {
			return call(unix.SYS_CLONE, unix.CLONE_NEWUSER|unix.CLONE_VM|unix.CLONE_FS)
		}, refusals: []error{unix.EINVAL}},
		{name: "clone3", tries: "fork by clone3, whose flags no filter sees", inside: func(*facts) error {
			return call(unix.SYS_CLONE3, 0, 0)
		}},
		{name: "unshare-x32", tries: "make a user namespace by the numbers of x32", fast: true, inside: func(*facts) error {
			return call(0x40000000|unix.SYS_UNSHARE, unix.CLONE_NEWUSER)
		}},
		{name: "unshare-32", tries: "make a user namespace by the calls of 32 bits", fast: true, inside: func(*facts) error {
			return call32(310, unix.CLONE_NEWUSER, 0)
		}},
		{name: "mount-32", tries: "mount by the calls of 32 bits", inside: func(*facts) error {
			return call32(21, 0, 0)
		}},
		{name: "keyctl-32", tries: "ask for keys by the calls of 32 bits", inside: func(*facts) error {
			return call32(288, 0, 0xfffffffc)
		}},
	}
	flags := map[string]uintptr{
		"user": unix.CLONE_NEWUSER, "mount": unix.CLONE_NEWNS, "pid": unix.CLONE_NEWPID, "net": unix.CLONE_NEWNET,
		"ipc": unix.CLONE_NEWIPC, "uts": unix.CLONE_NEWUTS, "cgroup": unix.CLONE_NEWCGROUP, "time": unix.CLONE_NEWTIME,
	}
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		list = append(list, attempt{name: "unshare-" + name, tries: "make a namespace: " + name, fast: name == "user",
			inside: func(*facts) error { return call(unix.SYS_UNSHARE, flags[name]) }})
	}
	for _, name := range []string{"user", "mnt", "cgroup"} {
		list = append(list, attempt{name: "setns-" + name, tries: "enter a namespace anew: " + name,
			inside: func(*facts) error {
				fd, err := unix.Open("/proc/1/ns/"+name, unix.O_RDONLY, 0)
				if err != nil {
					return err
				}
				return unix.Setns(fd, 0)
			}, refusals: []error{unix.EINVAL}})
	}
	return list
}
