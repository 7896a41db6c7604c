// SPDX-License-Identifier: Apache-2.0

package syscallfilter

import (
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// withoutHugePages takes pages of hugetlb: the host has as many as its administrator has set aside for a machine or a
// database, and no bound of memory counts them. Without CAP_IPC_LOCK the kernel itself refuses them to shmget(2), but
// to the host's root group. The error is what programs get that ask where there is none.
func (r rules) withoutHugePages() {
	for _, c := range []struct {
		name string
		flag uint
		huge uint64
	}{
		{"mmap", 3, unix.MAP_HUGETLB}, {mmap2, 3, unix.MAP_HUGETLB}, {"memfd_create", 1, unix.MFD_HUGETLB},
		{"shmget", 2, sharedHuge},
	} {
		if r.of(c.name).always == allow {
			r.byName[c.name] = call{always: refused(unix.ENOMEM), allowed: []arguments{{bits(c.flag, c.huge, 0)}}}
		}
	}
}

// sharedHuge is SHM_HUGETLB of the kernel.
const sharedHuge = 0o4000

// mmap2 is mmap(2) of 32 bits. What has that name there takes its arguments from memory, where no filter sees them.
const mmap2 = "mmap2"

// on returns what holds for a call of an architecture.
func (r rules) on(a *arch.Info, name string) call {
	c := r.of(name)
	if _, isOld := a.SyscallNames[mmap2]; isOld && name == "mmap" && len(c.allowed) > 0 {
		return call{always: allow}
	}
	return c
}
