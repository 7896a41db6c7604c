// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// bindInside makes the guest-binds. What lies at either place may be of a container's earlier run: links lead to places
// inside, and what is mounted below the source comes along, so that what is covered there is covered here.
func bindInside(binds []Bind) error {
	for _, b := range binds {
		if err := bind(b); err != nil {
			return fmt.Errorf("show %s at %s: %w", b.Source, b.Target, err)
		}
	}
	return nil
}

func bind(b Bind) error {
	source, err := openPlace(b.Source)
	if err != nil {
		return fmt.Errorf("open the former: %w", err)
	}
	defer unix.Close(source)
	target, err := openPlace(b.Target)
	if errors.Is(err, fs.ErrNotExist) {
		// Where it cannot be made, that it is not there says more than why.
		if os.MkdirAll(b.Target, 0o755) == nil {
			target, err = openPlace(b.Target)
		}
	}
	if err != nil {
		return fmt.Errorf("open the latter: %w", err)
	}
	defer unix.Close(target)
	tree, err := unix.OpenTree(
		source,
		"",
		unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE,
	)
	if err != nil {
		return fmt.Errorf("copy mount: %w", err)
	}
	defer unix.Close(tree)
	return unix.MoveMount(tree, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}

func openPlace(path string) (int, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS}
	return unix.Openat2(unix.AT_FDCWD, path, &how)
}

// tagDir is where a container finds its disks by their tags.
const tagDir = "/dev/disk/by-tag"

func linkDisks(disks []Disk) error {
	for _, d := range disks {
		if err := os.MkdirAll(tagDir, 0o755); err != nil {
			return fmt.Errorf("link disk %s: %w", d.Tag, err)
		}
		target, err := filepath.Rel(tagDir, d.Device)
		if err != nil {
			return fmt.Errorf("link disk %s: %w", d.Tag, err)
		}
		if err := os.Symlink(target, filepath.Join(tagDir, d.Tag)); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("link disk %s: %w", d.Tag, err)
		}
	}
	return nil
}
