// SPDX-License-Identifier: Apache-2.0

package content

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
)

// CheckMounts reports whether every mount of the administrator has a place, and every guest-bind something to show.
// What lies in the content is made there, and what lies in the root is made with that; a place below a directory of the
// host, which containers share read-only, the host must have.
func (h Host) CheckMounts(s *config.Sandbox) error {
	for _, m := range s.Mounts {
		if isShared(m.Target) && !h.inContent(s, m.Target) && !h.has(m.Target) {
			return fmt.Errorf("mount point %s does not exist on the host, whose %s containers share read-only; "+
				"make it, or choose one elsewhere, such as below /srv", m.Target, topOf(m.Target))
		}
		isHosts := isShared(m.Source) || topOf(m.Source) == etcTop
		if !m.Kind.ShowsInside() || h.inContent(s, m.Source) || isHosts && h.has(m.Source) {
			continue
		}
		mounted := slices.ContainsFunc(s.Mounts, func(other config.Mount) bool {
			return !other.Kind.ShowsInside() && privatepaths.Below(m.Source+"/", other.Target)
		})
		if !mounted {
			return fmt.Errorf("%s, which %s is to show, is not in the container; choose a place below /srv, /var, /home or /etc",
				m.Source, m.Target)
		}
	}
	return nil
}

func (h Host) has(p string) bool {
	_, err := os.Stat(h.Root + p)
	return err == nil
}

// topOf returns the directory of the root that a path lies in.
func topOf(p string) string {
	top, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	return "/" + top
}

// isShared reports whether a path lies in what containers share of the host.
func isShared(p string) bool { return slices.Contains(sharedTop(), strings.TrimPrefix(topOf(p), "/")) }

// inContent reports whether a path of the container lies in its private content.
func (h Host) inContent(s *config.Sandbox, p string) bool {
	if slices.ContainsFunc(ownTop(), func(top string) bool { return strings.HasPrefix(p, top+"/") }) {
		return true
	}
	return slices.ContainsFunc(s.Private, func(private config.PrivatePath) bool {
		return privatepaths.Below(p, private.Path)
	})
}

// mountPoints makes the places for mounts that lie in the tree, and those that guest-binds show.
func (b *builder) mountPoints() error {
	for _, m := range b.sandbox.Mounts {
		name := strings.TrimPrefix(m.Source, "/")
		if !m.Kind.ShowsInside() || exists(b.tree, name) || !b.host.inContent(b.sandbox, m.Source) {
			continue
		}
		if err := b.tree.MkdirAll(name, 0o755); err != nil {
			return fmt.Errorf("make %s for the mount at %s: %w", m.Source, m.Target, err)
		}
		b.record(name, "directory")
	}
	for _, m := range b.sandbox.Mounts {
		name := strings.TrimPrefix(m.Target, "/")
		// In /etc it is made where that is laid over the host's.
		if !b.host.inContent(b.sandbox, m.Target) || topOf(m.Target) == etcTop || exists(b.tree, name) {
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
