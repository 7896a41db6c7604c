// SPDX-License-Identifier: Apache-2.0

package content

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/roottree"
)

// Layout is what a container sees of the host and of its content.
type Layout struct {
	roottree.View
	Missing []string // private paths that the host has no place for, so that they cannot be mounted
}

// ownTop are the directories of the root that a container has as its content.
func ownTop() []string { return []string{"/var", "/home", "/root", "/srv"} }

// etcTop is the directory of which a container has its own content, and below that what everybody may read of the
// host's.
const etcTop = "/etc"

// Layout works out the mounts of a sandbox whose content is prepared, as the host is now. shown are further directories
// of the host, for all to read; etc is a directory with what containers see of its /etc.
func (h Host) Layout(s *config.Sandbox, shown []string, etc string) (*Layout, error) {
	view, err := h.View(shown)
	if err != nil {
		return nil, err
	}
	l := Layout{View: view}
	l.Mounts = append(l.Mounts, roottree.Mount{
		Lower: etc, Below: s.Content, Source: etcTop, Work: "/" + filestate.EtcWork, Target: etcTop,
	})
	for _, dir := range ownTop() {
		h.bind(&l, s, dir)
	}
	for _, p := range s.Private {
		if !pathname.IsBelow(p.Path, ownTop()...) && !pathname.IsBelow(p.Path, etcTop) {
			h.bind(&l, s, p.Path)
		}
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
		return m.Below == "" && m.Source != "" && pathname.IsBelow(p, m.Target)
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
