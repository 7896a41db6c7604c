// SPDX-License-Identifier: Apache-2.0

package syscallfilter

import (
	"golang.org/x/sys/unix"
)

// modeOf says which argument of a call is the mode that a file gets.
type modeOf struct {
	call string
	mode uint
	// opens is set for those that make a file only where flags, the argument before the mode, say so; without them the
	// mode is whatever was left in its register.
	opens bool
}

func callsWithModes() []modeOf {
	return []modeOf{
		{"chmod", 1, false}, {"fchmod", 1, false}, {"fchmodat", 2, false}, {"fchmodat2", 2, false},
		{"creat", 1, false}, {"mknod", 1, false}, {"mknodat", 2, false}, {"open", 2, true}, {"openat", 3, true},
	}
}

// withoutSetID takes from calls that are allowed the making of set-user-ID and set-group-ID files. openat2(2) has its
// mode where a filter cannot see it; it is answered as by a kernel without it, so that programs take openat(2).
// io_uring(7) opens files too.
func (r rules) withoutSetID() {
	const special = unix.S_ISUID | unix.S_ISGID
	for _, c := range callsWithModes() {
		if r.of(c.call).always != allow {
			continue
		}
		plain := call{always: refused(unix.EPERM), allowed: []arguments{{bits(c.mode, special, 0)}}}
		if c.opens {
			plain.allowed = append(plain.allowed, arguments{
				bits(c.mode-1, unix.O_CREAT, 0), bits(c.mode-1, temporaryFile, 0),
			})
		}
		r.byName[c.call] = plain
	}
	if r.of("openat2").always == allow {
		r.byName["openat2"] = call{always: refused(unix.ENOSYS)}
	}
	if r.of("io_uring_setup").always == allow {
		r.byName["io_uring_setup"] = call{always: refused(unix.EPERM)}
	}
}

// temporaryFile is __O_TMPFILE of the kernel, the part of O_TMPFILE that O_DIRECTORY is not.
const temporaryFile = unix.O_TMPFILE &^ unix.O_DIRECTORY
