// SPDX-License-Identifier: Apache-2.0

// Package foreignmounts takes from a container what it has inherited of other sandboxes' mounts. In: the first
// process of the container, which waits, and places; out: nothing is mounted there any more, in the container alone.
// The helper calls it, as root, before the container's own programs run.
//
// libvirt gives a container a copy of all mounts of the host, those below what the container has of its own out of
// sight but still there. It would keep the file systems of others from ending with them.
package foreignmounts

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// Unmount unmounts all that is mounted at the targets in the mount namespace of a container's first process. sandbox
// is the name of that container. One that has ended has no mounts.
func Unmount(sandbox string, first int, targets []string) error {
	if len(targets) == 0 {
		return nil
	}
	// From here: the container's own /proc shows no process of the host's.
	table, err := proc.Host.Mounts(first)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // It has ended already.
	}
	if err != nil {
		return fmt.Errorf("read the container's mounts: %w", err)
	}
	defer table.Close()
	return namespace.InMountsOf(first, func() error {
		for _, target := range targets {
			if err := unmountAll(func() ([]*mountinfo.Info, error) { return readMounts(table) }, target); err != nil {
				return fmt.Errorf("unmount %s in %s: %w", target, sandbox, err)
			}
		}
		return nil
	})
}

// mostAttempts bounds how often a place is looked at anew because others unmount there too, or mount one over the
// other.
const mostAttempts = 100

// unmountAll unmounts all that is mounted at a place. entries reads the table of mounts.
func unmountAll(entries func() ([]*mountinfo.Info, error), target string) error {
	for range mostAttempts {
		now, err := entries()
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(now, func(e *mountinfo.Info) bool { return e.Mountpoint == target }) {
			return nil
		}
		if err := unmountCovered(now, target); err != nil {
			return err
		}
	}
	return fmt.Errorf("something is mounted there after %d attempts", mostAttempts)
}

// readMounts reads a table of mounts from its begin.
func readMounts(table *os.File) ([]*mountinfo.Info, error) {
	if _, err := table.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read the container's mounts: %w", err)
	}
	mounts, err := mountinfo.GetMountsFromReader(table, nil)
	if err != nil {
		return nil, fmt.Errorf("read the container's mounts: %w", err)
	}
	return mounts, nil
}

// unmountCovered unmounts what is mounted at a place below others that cover it. These are taken off for that moment.
// What is gone already is no error: when another container stops, its images are unmounted in all.
func unmountCovered(entries []*mountinfo.Info, target string) (err error) {
	for _, cover := range coversOf(entries, target) {
		var tree int
		const flags = unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_RECURSIVE
		if tree, err = unix.OpenTree(unix.AT_FDCWD, cover, flags); err != nil {
			return ignoreGone(fmt.Errorf("copy mount of %s: %w", cover, err))
		}
		defer unix.Close(tree)
		if err = unix.Unmount(cover, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return ignoreGone(fmt.Errorf("take %s off: %w", cover, err))
		}
		defer func() {
			if back := unix.MoveMount(tree, "", unix.AT_FDCWD, cover, unix.MOVE_MOUNT_F_EMPTY_PATH); back != nil {
				err = errors.Join(err, fmt.Errorf("put %s back: %w", cover, back))
			}
		}()
	}
	return ignoreGone(unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW))
}

// ignoreGone forgives that a mount is not there any more, or its mount point.
func ignoreGone(err error) error {
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// coversOf lists, in the order in which they are to be taken off, the mount points on the way to a mounted place at
// which something is mounted that the place does not lie in.
func coversOf(entries []*mountinfo.Info, target string) []string {
	i := slices.IndexFunc(entries, func(e *mountinfo.Info) bool { return e.Mountpoint == target })
	if i < 0 {
		return nil
	}
	byID := make(map[int]*mountinfo.Info)
	for _, e := range entries {
		byID[e.ID] = e
	}
	holds := make(map[int]bool) // mounts that the place lies in, by number
	for e, found := entries[i], true; found && !holds[e.ID]; e, found = byID[e.Parent] {
		holds[e.ID] = true
	}
	// One that is mounted in a cover goes with that, but one on top of it has to go first.
	isCover := func(e *mountinfo.Info) bool {
		for !holds[e.ID] && !holds[e.Parent] {
			parent, found := byID[e.Parent]
			if !found || parent.Mountpoint != e.Mountpoint {
				return false
			}
			e = parent
		}
		return !holds[e.ID]
	}
	var covers []string
	for end := 1; end < len(target); end++ {
		if target[end] != '/' {
			continue
		}
		for _, e := range entries {
			if e.Mountpoint == target[:end] && isCover(e) {
				covers = append(covers, e.Mountpoint)
			}
		}
	}
	return covers
}
