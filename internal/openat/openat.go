// SPDX-License-Identifier: Apache-2.0

// Package openat opens what lies below a directory that others can change (openat2(2)). In: a descriptor and a path.
// Out: another descriptor. It knows nothing of what is opened. Everybody may call it; it calls nobody.
package openat

import (
	"errors"

	"golang.org/x/sys/unix"
)

// In opens what has a path below a directory, without following a link; -1 and no error for what is gone, behind a link
// or mounted there.
func In(parent int, path string) (int, error) {
	how := unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
	}
	fd, err := Openat2(parent, path, &how)
	switch {
	case err == nil:
		return fd, nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP), errors.Is(err, unix.EXDEV):
		return -1, nil
	}
	return -1, err
}

// Openat2 is openat2(2), asked again where something was renamed while the kernel looked.
func Openat2(parent int, path string, how *unix.OpenHow) (int, error) {
	for {
		if fd, err := unix.Openat2(parent, path, how); !errors.Is(err, unix.EAGAIN) {
			return fd, err
		}
	}
}
