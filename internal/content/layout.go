// SPDX-License-Identifier: Apache-2.0

package content

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
	"github.com/virt-sandbox/virt-sandbox/internal/roottree"
)

// Layout is what a container sees of the host and of its content.
type Layout struct {
	roottree.View
	Missing []string // private paths that the host has no place for, so that they cannot be mounted
}

// ownTop are the directories of the root that a container has as its content.
func ownTop() []string { return []string{"/var", "/home", "/root", "/srv"} }

// Layout works out the mounts of a sandbox whose content is prepared, as the host is now. shown are further directories
// of the host, for all to read.
func (h Host) Layout(s *config.Sandbox, shown []string) (*Layout, error) {
	view, err := h.View(shown)
	if err != nil {
		return nil, err
	}
	l := Layout{View: view}
	for _, dir := range ownTop() {
		h.bind(&l, s, dir)
	}
	if !s.Generic() {
		h.bind(&l, s, "/etc/systemd/system")
	}
	for _, file := range privatepaths.OwnFiles() {
		if info, err := os.Lstat(h.Root + file); err == nil && info.Mode().IsRegular() {
			h.bind(&l, s, file)
		}
	}
	for _, p := range s.Private {
		if !privatepaths.Below(p.Path, ownTop()...) {
			h.bind(&l, s, p.Path)
		}
	}
	if err := h.hide(&l, s); err != nil {
		return nil, fmt.Errorf("look for what to hide from %s: %w", s.Name, err)
	}
	return &l, nil
}

// bind adds a path of the content. What lies below a directory of the host must be there too, and of the same type:
// that directory is read-only, so that a mount point cannot be made.
func (h Host) bind(l *Layout, s *config.Sandbox, p string) {
	inTree, err := os.Lstat(filepath.Join(s.Content, p))
	if err != nil {
		l.Missing = append(l.Missing, p)
		return
	}
	shared := slices.ContainsFunc(l.Mounts, func(m roottree.Mount) bool {
		return m.Below == "" && m.Source != "" && privatepaths.Below(p, m.Target)
	})
	if shared {
		onHost, err := os.Lstat(h.Root + p)
		if err != nil || onHost.Mode().Type() != inTree.Mode().Type() {
			l.Missing = append(l.Missing, p)
			return
		}
	}
	if inTree.Mode()&fs.ModeSymlink != 0 {
		// It says the same on both sides, and nothing is mounted by a link.
		return
	}
	l.Mounts = append(l.Mounts, roottree.Mount{Below: s.Content, Source: p, Target: p})
}

// hide puts out of sight what below /etc not everybody may read, since that is where hosts keep their secrets, and
// libvirt's and our own configuration.
func (h Host) hide(l *Layout, s *config.Sandbox) error {
	over := func(cover, p string) {
		l.Mounts = append(l.Mounts, roottree.Mount{Below: s.Content, Source: cover, Target: p, ReadOnly: true})
	}
	private := make(map[string]bool)
	for _, m := range l.Mounts {
		private[m.Target] = m.Below != ""
	}
	return filepath.WalkDir(h.Root+"/etc", func(file string, e fs.DirEntry, err error) error {
		p := path.Clean("/" + strings.TrimPrefix(file, h.Root))
		if private[p] || err != nil {
			if e != nil && e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := e.Info()
		if err != nil || (!e.IsDir() && !e.Type().IsRegular()) {
			return nil
		}
		secret := privatepaths.IsClosed(info) || (path.Dir(p) == "/etc" && strings.HasPrefix(e.Name(), "libvirt"))
		switch {
		case secret && e.IsDir() && hasBelow(s.Private, p):
			// The tree has this directory with only what is private in it.
			h.bind(l, s, p)
			return fs.SkipDir
		case secret && e.IsDir():
			over(filestate.HiddenDir, p)
			return fs.SkipDir
		case secret:
			over(filestate.HiddenFile, p)
		}
		return nil
	})
}

func hasBelow(private []config.PrivatePath, dir string) bool {
	return slices.ContainsFunc(private, func(p config.PrivatePath) bool { return privatepaths.Below(p.Path, dir) })
}
