// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// hardLimits are what the processes of a container may raise their limits to (getrlimit(2)): as the host's systemd has
// it, and without end where the container's cgroups are the bound.
func hardLimits() map[int]uint64 {
	return map[int]uint64{
		unix.RLIMIT_NOFILE: 524288, unix.RLIMIT_NPROC: math.MaxUint64, unix.RLIMIT_CORE: math.MaxUint64,
		unix.RLIMIT_MEMLOCK: math.MaxUint64,
	}
}

// SetIDs gives the user namespace of a process its user ids and group ids from inside on: those of the host from
// outside on. A namespace is given them once (user_namespaces(7)).
func (d Dir) SetIDs(pid int, inside, outside, count uint32) error {
	mapping := fmt.Appendf(nil, "%d %d %d\n", inside, outside, count)
	for _, name := range []string{"uid_map", "gid_map"} {
		if err := os.WriteFile(d.path(pid, name), mapping, 0); err != nil {
			return err
		}
	}
	return nil
}

// SetLimits gives the first process of a container, and so all that come from it, limits of its own in place of
// libvirtd's: root inside cannot raise them without CAP_SYS_RESOURCE. When memory runs out the kernel is to rate them
// as the caller, so as the container's unit with its OOMScoreAdjust=; libvirtd it may spare until all others have been
// ended. Where the host is a container itself, it may lack the right to give more than it has.
func (d Dir) SetLimits(pid int) error {
	for resource, most := range hardLimits() {
		var limit unix.Rlimit
		err := unix.Prlimit(pid, resource, nil, &limit)
		if err == nil && limit.Max < most {
			limit.Max = most
			err = unix.Prlimit(pid, resource, &limit, nil)
		}
		if err != nil && !isRefusal(err) {
			return fmt.Errorf("raise limit %d of process %d: %w", resource, pid, err)
		}
	}
	own, err := os.ReadFile(d.path(os.Getpid(), oomScore))
	if err == nil {
		err = os.WriteFile(d.path(pid, oomScore), own, 0)
	}
	if err != nil && !isRefusal(err) {
		return fmt.Errorf("rate process %d for when memory runs out: %w", pid, err)
	}
	return nil
}

// oomScore is the file of a process's rating (proc_pid_oom_score_adj(5)).
const oomScore = "oom_score_adj"

// isRefusal tells of what the kernel says where this process may not, or the other has ended.
func isRefusal(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)
}
