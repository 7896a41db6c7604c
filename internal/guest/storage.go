// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// tagDir is where a container finds its disks by their tags.
const tagDir = "/dev/disk/by-tag"

// LinkDisks makes the names of disks by their tags. A name that is there stays.
func LinkDisks(disks []Disk) error {
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
