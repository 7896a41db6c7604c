// SPDX-License-Identifier: Apache-2.0

package content

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
)

// CheckMounts reports whether every mount of the administrator has a place, and every guest-bind something to show:
// below what is private it is made, elsewhere the host must have it, since its root is read-only for containers.
func (h Host) CheckMounts(s *config.Sandbox) error {
	for _, m := range s.Mounts {
		if _, err := os.Stat(h.Root + m.Target); err != nil && !h.inTree(s, m.Target) {
			return fmt.Errorf("mount point %s does not exist on the host, whose root containers share read-only; "+
				"make it, or choose one below /srv, /var or /home", m.Target)
		}
		if !m.Kind.ShowsInside() {
			continue
		}
		if _, err := os.Stat(h.Root + m.Source); err != nil && !h.inTree(s, m.Source) {
			return fmt.Errorf("%s, which %s is to show, does not exist on the host, whose root containers share read-only; "+
				"choose a place below /srv, /var or /home", m.Source, m.Target)
		}
	}
	return nil
}

// inTree reports whether a path of the container lies in its private content.
func (h Host) inTree(s *config.Sandbox, p string) bool {
	top, _, nested := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	kernels := []string{"dev", "proc", "sys", "run", "tmp"}
	if nested && !slices.Contains(sharedTop(), top) && !slices.Contains(kernels, top) {
		_, err := os.Stat(h.Root + "/" + top)
		return err == nil
	}
	for _, private := range s.Private {
		if privatepaths.Below(p, private.Path) {
			return true
		}
	}
	return false
}

// mountPoints makes the places for mounts that lie in the tree, and those that guest-binds show.
func (b *builder) mountPoints() error {
	for _, m := range b.sandbox.Mounts {
		name := strings.TrimPrefix(m.Source, "/")
		if !m.Kind.ShowsInside() || exists(b.tree, name) || !b.host.inTree(b.sandbox, m.Source) {
			continue
		}
		if err := b.tree.MkdirAll(name, 0o755); err != nil {
			return fmt.Errorf("make %s for the mount at %s: %w", m.Source, m.Target, err)
		}
		b.record(name, "directory")
	}
	for _, m := range b.sandbox.Mounts {
		name := strings.TrimPrefix(m.Target, "/")
		if !b.host.inTree(b.sandbox, m.Target) || exists(b.tree, name) {
			continue
		}
		if err := b.mountPoint(m, name); err != nil {
			return fmt.Errorf("make mount point %s: %w", m.Target, err)
		}
	}
	return nil
}

func (b *builder) mountPoint(m config.Mount, name string) error {
	if b.showsFile(m) {
		if dir := name[:strings.LastIndexByte(name, '/')]; !exists(b.tree, dir) {
			if err := b.tree.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
		f, err := b.tree.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL|unix.O_NOFOLLOW, 0o644)
		if err != nil {
			return err
		}
		b.record(name, "file")
		return f.Close()
	}
	if err := b.tree.MkdirAll(name, 0o755); err != nil {
		return err
	}
	b.record(name, "directory")
	return nil
}

// showsFile reports whether a mount shows a file and no directory, so that a file must be its place.
func (b *builder) showsFile(m config.Mount) bool {
	if !m.Kind.ShowsHostFiles() && !m.Kind.ShowsInside() {
		return false
	}
	if m.Kind.ShowsInside() {
		if info, err := b.tree.Stat(strings.TrimPrefix(m.Source, "/")); err == nil {
			return !info.IsDir()
		}
	}
	info, err := os.Stat(b.host.Root + m.Source)
	return err == nil && !info.IsDir()
}

// SharedMounts returns the mount points, as this thread has them, below the directories that containers share, from the
// top down: a copy of the root's mount is without them.
func SharedMounts() ([]string, error) {
	mounts, err := mountinfo.GetMounts(nil)
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	var points []string
	for _, m := range mounts {
		point := m.Mountpoint
		top, _, _ := strings.Cut(strings.TrimPrefix(point, "/"), "/")
		if slices.Contains(sharedTop(), top) && !slices.Contains(points, point) {
			points = append(points, point)
		}
	}
	slices.Sort(points)
	return points, nil
}
