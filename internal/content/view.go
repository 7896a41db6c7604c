// SPDX-License-Identifier: Apache-2.0

package content

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"

	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/roottree"
)

// sharedTop are the directories of the root that hold software, which every sandbox sees; nothing else of the host is
// there.
func sharedTop() []string {
	return []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr"}
}

// emptyTop are directories that programs expect, of which a sandbox has none of the host's files.
func emptyTop() []string { return []string{"boot", "media", "mnt", "opt"} }

// LocalTop is where administrators put software by hand, with what it needs. It is empty unless it is asked for.
const LocalTop = "/usr/local"

// View returns what a sandbox sees of the host: its software, read-only. Its /etc the caller adds. shown are further
// directories or files that are asked for.
func (h Host) View(shown []string) (roottree.View, error) {
	var v roottree.View
	for _, name := range sharedTop() {
		info, err := os.Lstat(h.Root + "/" + name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return v, fmt.Errorf("look at what sandboxes see: %w", err)
		case info.IsDir():
			v.Mounts = append(v.Mounts, h.show("/"+name))
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(h.Root + "/" + name)
			if err != nil {
				return v, fmt.Errorf("look at what sandboxes see: %w", err)
			}
			v.Links = append(v.Links, roottree.Link{Path: "/" + name, Target: target})
		}
	}
	for _, name := range emptyTop() {
		if info, err := os.Lstat(h.Root + "/" + name); err == nil && info.IsDir() {
			v.Dirs = append(v.Dirs, "/"+name)
		}
	}
	below, err := h.sharedMounts()
	if err != nil {
		return v, err
	}
	local := slices.Contains(shown, LocalTop)
	if info, err := os.Lstat(h.Root + LocalTop); err == nil && info.IsDir() && !local {
		v.Mounts = append(v.Mounts, roottree.Mount{Target: LocalTop, Mode: 0o755, ReadOnly: true})
	}
	for _, p := range shown {
		v.Mounts = append(v.Mounts, h.show(p))
	}
	for _, p := range below {
		if p != LocalTop && (local || !pathname.IsBelow(p, LocalTop)) {
			v.Mounts = append(v.Mounts, h.show(p))
		}
	}
	return v, nil
}

func (h Host) show(p string) roottree.Mount {
	return roottree.Mount{Source: h.Root + p, Target: p, ReadOnly: true}
}

// sharedMounts returns the mount points of the host below the directories that sandboxes share, from the top down: a
// copy of the root's mount is without them.
func (h Host) sharedMounts() (points []string, err error) {
	if h.Root != "" {
		return nil, nil
	}
	err = namespace.InHostMounts(func() error {
		mounts, err := mountinfo.GetMounts(nil)
		if err != nil {
			return fmt.Errorf("read mounts: %w", err)
		}
		for _, m := range mounts {
			point := path.Clean(m.Mountpoint)
			top, _, _ := strings.Cut(strings.TrimPrefix(point, "/"), "/")
			isTop := point == "/"+top // It is shown by itself.
			if !isTop && slices.Contains(sharedTop(), top) && !slices.Contains(points, point) {
				points = append(points, point)
			}
		}
		return nil
	})
	slices.Sort(points)
	return points, err
}
