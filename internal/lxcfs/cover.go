// SPDX-License-Identifier: Apache-2.0

package lxcfs

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// GuestDir is where a container has the files, beside their places below /proc: a user namespace may not unmount what
// came with its root.
const GuestDir = "/run/host/proc"

// Cover has files of GuestDir take the places of the kernel's below /proc. It runs inside. First it takes away the
// /proc/meminfo that libvirt makes of the container's limit: one cannot seek in that, and free, top and ps, which do,
// fail. The kernel's stay where the host's security policy does not let a file take its place, which warn is told.
func Cover(names []string, warn func(format string, args ...any)) error {
	const meminfo = "/proc/meminfo"
	mounts, err := mountinfo.GetMounts(mountinfo.SingleEntryFilter(meminfo))
	if err != nil {
		return fmt.Errorf("read mounts: %w", err)
	}
	if len(mounts) > 0 && strings.HasPrefix(mounts[0].FSType, "fuse") {
		if err := unix.Unmount(meminfo, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", meminfo, err)
		}
	}
	for _, name := range names {
		point := filepath.Join("/proc", name)
		if err := unix.Mount(filepath.Join(GuestDir, name), point, "", unix.MS_BIND, ""); err != nil {
			warn("programs see the host's %s: mount that of lxcfs: %v", point, err)
			break
		}
	}
	return nil
}
