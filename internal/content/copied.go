package content

import (
	"context"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
)

// IsCopy reports whether content has anything in the files of packages, or was made bare.
func (h Host) IsCopy(ctx context.Context, s *config.Sandbox) (bool, error) {
	owned, err := privatepaths.Planner(h).Owned(ctx, s.Private)
	if err != nil {
		return false, err
	}
	trees, err := openTrees(h.Root, s.Content)
	if err != nil {
		return false, err
	}
	defer trees.close()
	for p, f := range owned {
		at, err := trees.find(p)
		if err != nil {
			continue
		}
		var stat unix.Stat_t
		err = unix.Fstatat(at.dir, at.name, &stat, unix.AT_SYMLINK_NOFOLLOW)
		at.close()
		if err == nil && f.Digest != "" && kindOfMode(stat.Mode) == kindFile && stat.Size > 0 {
			return true, nil
		}
	}
	return false, nil
}
