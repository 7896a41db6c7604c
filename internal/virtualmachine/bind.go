// SPDX-License-Identifier: Apache-2.0

package virtualmachine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// bindInside shows at a path of a virtual machine what is at another, with what is mounted below that.
func bindInside(from, to string) error {
	source, err := openPlace(from)
	if err != nil {
		return fmt.Errorf("open %s: %w", from, err)
	}
	defer unix.Close(source)
	target, err := openPlace(to)
	if errors.Is(err, fs.ErrNotExist) {
		// Where it cannot be made, that it is not there says more than why.
		if os.MkdirAll(to, 0o755) == nil {
			target, err = openPlace(to)
		}
	}
	if err != nil {
		return fmt.Errorf("open the place for it: %w", err)
	}
	defer unix.Close(target)
	const flags = unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_EMPTY_PATH | unix.AT_RECURSIVE
	tree, err := unix.OpenTree(source, "", flags)
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
