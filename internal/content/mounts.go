// SPDX-License-Identifier: Apache-2.0

package content

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/innerboot"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
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
			return !other.Kind.ShowsInside() && pathname.IsWithin(m.Source, other.Target)
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
	if pathname.IsBelow(p, ownTop()...) {
		return true
	}
	return slices.ContainsFunc(s.Private, func(private config.PrivatePath) bool {
		return pathname.IsBelow(p, private.Path)
	})
}

// Fit returns what a start gives a sandbox with a set of units so that they run inside. Errors: a unit that needs what
// cannot be had so.
func (h Host) Fit(s *config.Sandbox, set unitfile.Set) (*innerboot.Fitting, error) {
	return innerboot.Fit(unitfile.Root(h.Root), s, set, h.DeniesMounts(s))
}

// mountPoints makes the places for mounts that lie in the tree, and those that guest-binds show.
func (b *builder) mountPoints() error {
	set, err := b.units()
	if err != nil {
		return err
	}
	units, err := b.host.Fit(b.sandbox, set)
	if err != nil {
		return err
	}
	for _, m := range b.sandbox.Mounts {
		if m.Kind.ShowsInside() {
			if err := b.shown(m.Source, m.Target); err != nil {
				return err
			}
		}
	}
	for _, bind := range units.Binds {
		if err := b.shown(bind.Source, bind.Target); err != nil {
			return err
		}
	}
	for _, m := range b.sandbox.Mounts {
		if err := b.mountPoint(m.Target, b.showsFile(m)); err != nil {
			return err
		}
	}
	for _, bind := range units.Binds {
		if err := b.mountPoint(bind.Target, b.isFile(bind.Source)); err != nil {
			return err
		}
	}
	for _, place := range slices.Concat(units.Memory, units.Dirs) {
		if err := b.mountPoint(place, false); err != nil {
			return err
		}
	}
	return nil
}

// shown makes what is to be shown at another place, where it is the content's and not there.
func (b *builder) shown(source, target string) error {
	name := strings.TrimPrefix(source, "/")
	if exists(b.tree, name) || !b.host.inContent(b.sandbox, source) {
		return nil
	}
	if err := b.tree.MkdirAll(name, 0o755); err != nil {
		return fmt.Errorf("make %s for the mount at %s: %w", source, target, err)
	}
	b.record(name, "directory")
	return nil
}

// mountPoint makes a place where it lies in the tree and is not there. In /etc it is made where that is laid over the
// host's.
func (b *builder) mountPoint(target string, isFile bool) error {
	name := strings.TrimPrefix(target, "/")
	if !b.host.inContent(b.sandbox, target) || topOf(target) == etcTop || exists(b.tree, name) {
		return nil
	}
	if err := b.makePoint(name, isFile); err != nil {
		return fmt.Errorf("make mount point %s: %w", target, err)
	}
	return nil
}

func (b *builder) makePoint(name string, isFile bool) error {
	if isFile {
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
		return b.isFile(m.Source)
	}
	info, err := os.Stat(b.host.Root + m.Source)
	return err == nil && !info.IsDir()
}

// isFile reports whether a path inside is no directory: of the content, or else of the host.
func (b *builder) isFile(p string) bool {
	info, err := b.tree.Stat(strings.TrimPrefix(p, "/"))
	if err != nil {
		info, err = os.Stat(b.host.Root + p)
	}
	return err == nil && !info.IsDir()
}
