// SPDX-License-Identifier: Apache-2.0

package image

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// ExplainFull adds to an error of writing to an image which of the two is full: the image, or the host's file system,
// of which the kernel says no more than that a block could not be written.
func ExplainFull(file string, size config.Size, err error) error {
	dir := filepath.Dir(file)
	switch {
	case err == nil:
		return nil
	case isFull(dir):
		return fmt.Errorf("no space left on the file system of %s: %w", dir, err)
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("the image of %s is full; choose a greater size: %w", size, err)
	}
	return err
}

// isFull reports whether a file system has no space worth mentioning.
func isFull(dir string) bool {
	var stat unix.Statfs_t
	const little = 1 << 20
	return unix.Statfs(dir, &stat) == nil && stat.Bavail*uint64(stat.Bsize) < little
}
