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
	"github.com/virt-sandbox/virt-sandbox/internal/domain"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
)

// Layout is what a container sees over the host's read-only root.
type Layout struct {
	Binds   []domain.Bind // in the order in which they are mounted
	Missing []string      // private paths that the host has no place for, so that they cannot be mounted
}

// sharedTop are the directories of the root that hold software; every other one holds the host's data.
func sharedTop() []string {
	return []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "opt"}
}

// mountedTop are the directories of the root that a container gets by other means; libvirt makes and uses .oldroot
// while it changes roots.
func mountedTop() []string {
	return []string{"dev", "proc", "sys", "run", "tmp", "var", "home", "root", "srv", ".oldroot"}
}

// Layout works out the mounts of a sandbox whose content is prepared, as the host is now.
func (h Host) Layout(s *config.Sandbox) (*Layout, error) {
	var l Layout
	for _, dir := range []string{"/var", "/home", "/root", "/srv"} {
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
		if !privatepaths.Below(p.Path, "/var", "/home", "/root", "/srv") {
			h.bind(&l, s, p.Path)
		}
	}
	if err := h.hide(&l, s); err != nil {
		return nil, fmt.Errorf("look for what to hide from %s: %w", s.Name, err)
	}
	return &l, nil
}

// bind adds a path of the tree, if both sides have it and are of one type: the root is read-only, so a mount point
// cannot be made.
func (h Host) bind(l *Layout, s *config.Sandbox, p string) {
	inTree, err := os.Lstat(filepath.Join(s.Content, p))
	if err != nil {
		l.Missing = append(l.Missing, p)
		return
	}
	onHost, err := os.Lstat(h.Root + p)
	if err != nil || onHost.Mode().Type() != inTree.Mode().Type() {
		l.Missing = append(l.Missing, p)
		return
	}
	if inTree.Mode()&fs.ModeSymlink != 0 {
		// It says the same on both sides, and a mount would follow it.
		return
	}
	l.Binds = append(l.Binds, domain.Bind{Source: filepath.Join(s.Content, p), Target: p})
}

// hide puts out of sight: directories of the root that hold the host's data, libvirt's and our own configuration, and
// below /etc everything that not everybody may read, since that is where hosts keep their secrets.
func (h Host) hide(l *Layout, s *config.Sandbox) error {
	over := func(cover, p string) {
		l.Binds = append(l.Binds, domain.Bind{Source: filepath.Join(s.Content, cover), Target: p, ReadOnly: true})
	}
	top, err := os.ReadDir(h.Root + "/")
	if err != nil {
		return err
	}
	tree, err := os.OpenRoot(s.Content)
	if err != nil {
		return err
	}
	defer tree.Close()
	for _, e := range top {
		p := "/" + e.Name()
		info, err := e.Info()
		switch {
		case err != nil || slices.Contains(sharedTop(), e.Name()) || slices.Contains(mountedTop(), e.Name()):
		case e.IsDir() && exists(tree, p):
			// The tree has this directory with only what is private or mounted in it.
			h.bind(l, s, p)
		case e.IsDir():
			over(filestate.HiddenDir, p)
		case e.Type().IsRegular() && privatepaths.IsClosed(info):
			over(filestate.HiddenFile, p)
		}
	}
	private := make(map[string]bool)
	for _, b := range l.Binds {
		private[b.Target] = true
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
