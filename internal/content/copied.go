// SPDX-License-Identifier: Apache-2.0

package content

import (
	"context"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
)

// IsCopy reports whether content has anything in the files of packages, or was made bare.
func (h Host) IsCopy(ctx context.Context, s *config.Sandbox) (bool, error) {
	owned, err := privatepaths.Planner(h).Owned(ctx, s.Private)
	if err != nil {
		return false, err
	}
	trees, err := filestate.OpenTrees(h.Root, s.Content)
	if err != nil {
		return false, err
	}
	defer trees.Close()
	for p, f := range owned {
		at, err := trees.Find(p)
		if err != nil {
			continue
		}
		var stat unix.Stat_t
		err = unix.Fstatat(at.Dir, at.Name, &stat, unix.AT_SYMLINK_NOFOLLOW)
		at.Close()
		if err == nil && f.Digest != "" && filestate.KindOfMode(stat.Mode) == filestate.KindFile && stat.Size > 0 {
			return true, nil
		}
	}
	return false, nil
}
