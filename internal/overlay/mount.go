// SPDX-License-Identifier: Apache-2.0

// Package overlay lays a directory that is written to over one that is read (overlayfs in the kernel's documentation).
// In: open directories; out: a mount. Whoever puts the root of a container together calls it, and who changes the upper
// directory beside it. The marks that this leaves there are filetree's matter.
package overlay

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
)

// Layers are the open directories of an overlay. All are in the mount namespace of the caller's thread, as the kernel
// wants it, and Upper and Work below one mount.
type Layers struct {
	Lower, Upper, Work int
	Label              string // SELinux context of all that it shows; empty to have each file's own
	Root               uint32 // user and group of the host that are root for who sees it
}

// ErrUnfit is returned by Mount for an upper directory on a file system that cannot hold one.
var ErrUnfit = errors.New("its file system cannot be the upper one of an overlay")

// Mount makes the overlay and returns its mount, which is nowhere yet.
//
// The thread makes it as root of the container, since overlayfs works on its layers as whoever mounted it: the host's
// root is nobody in layers that show the ids of a container. It keeps its capabilities meanwhile.
//
// The lower directory may be another one at the next start. So nothing of the upper one may depend on it: not the names
// of renamed directories, not the data of files whose attributes were changed, no index.
func Mount(l Layers) (tree int, err error) {
	options := []struct{ key, value string }{
		{"source", "overlay"}, {"lowerdir", ownLink(l.Lower)}, {"upperdir", ownLink(l.Upper)},
		{"workdir", ownLink(l.Work)},
		{"redirect_dir", "nofollow"}, {"metacopy", "off"}, {"index", "off"}, {"xino", "off"},
	}
	if l.Label != "" {
		options = append(options, struct{ key, value string }{"context", l.Label})
	}
	tree = -1
	err = namespace.WithRootOf(l.Root, func() error {
		fs, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
		if err != nil {
			return fmt.Errorf("make an overlay: %w", err)
		}
		defer unix.Close(fs)
		for _, o := range options {
			if err := unix.FsconfigSetString(fs, o.key, o.value); err != nil {
				return fmt.Errorf("make an overlay: %s: %w", o.key, unfit(err))
			}
		}
		if err := unix.FsconfigCreate(fs); err != nil {
			return fmt.Errorf("make an overlay: %w", unfit(err))
		}
		if tree, err = unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV); err != nil {
			return fmt.Errorf("make an overlay: %w", err)
		}
		return nil
	})
	if err != nil {
		return -1, err
	}
	var stat unix.Statfs_t
	if err := unix.Fstatfs(tree, &stat); err != nil || stat.Flags&unix.ST_RDONLY != 0 {
		// It comes up read-only without an error where the work directory cannot be used.
		unix.Close(tree)
		return -1, errors.Join(fmt.Errorf("make an overlay: %w", ErrUnfit), err)
	}
	return tree, nil
}

// unfit says what the kernel means where it does not take a directory as the upper one.
func unfit(err error) error {
	if errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	return err
}

// Refresh has the overlay at an open directory forget what it remembers of its layers: after the upper one was changed
// beside it, it shows what is there. What is open stays as it is.
func Refresh(at int) error {
	var stat unix.Statfs_t
	if err := unix.Fstatfs(at, &stat); err != nil {
		return fmt.Errorf("refresh an overlay: %w", err)
	}
	if stat.Type != unix.OVERLAYFS_SUPER_MAGIC {
		return nil
	}
	// A reconfiguration drops the kernel's cache of names.
	fs, err := unix.Fspick(at, "", unix.FSPICK_CLOEXEC|unix.FSPICK_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("refresh an overlay: %w", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigReconfigure(fs); err != nil {
		return fmt.Errorf("refresh an overlay: %w", err)
	}
	return nil
}

// ownLink names an open directory for the kernel, which takes layers by name alone.
func ownLink(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }
