// SPDX-License-Identifier: Apache-2.0

package startup

import (
	"os"
	"path"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/roottree"
)

// optionalTop is, beside content.LocalTop, where software lies that no package manager of the distribution keeps. A
// sandbox sees of both what its units or its command name.
const optionalTop = "/opt"

// shown returns the directories of such software that the units, as the host has them now, or the command name.
func (h *Host) shown(s *config.Sandbox) ([]string, error) {
	var shown []string
	set, err := h.units(s)
	if err != nil {
		return nil, err
	}
	for _, unit := range set.All() {
		for _, p := range unit.Paths() {
			shown = h.addShown(shown, p)
		}
	}
	for _, word := range s.Command {
		shown = h.addShown(shown, word)
	}
	return shown, nil
}

// addShown adds the directory of such software that a path lies in, if the host has it.
func (h *Host) addShown(shown []string, p string) []string {
	p = path.Clean(p)
	dir := ""
	if pathname.IsBelow(p, content.LocalTop) {
		dir = content.LocalTop
	} else if below, found := strings.CutPrefix(p, optionalTop+"/"); found {
		name, _, _ := strings.Cut(below, "/")
		dir = optionalTop + "/" + name
	}
	if dir == "" || slices.Contains(shown, dir) {
		return shown
	}
	if info, err := os.Lstat(string(h.Places) + dir); err != nil || !info.IsDir() {
		return shown
	}
	return append(shown, dir)
}

// OneShotView returns what a one-shot sees of the host: its software, of its /etc what everybody may read, and the home
// directory of an ordinary user. Programs find the directories that they expect, empty. useEtc gives the copy of /etc,
// as hostetc.Store does; without it, as for who is not root and can make none, it is the host's own /etc.
func (h *Host) OneShotView(s *config.Sandbox, useEtc func() (dir string, err error)) (roottree.View, error) {
	shown, err := h.shown(s)
	if err != nil {
		return roottree.View{}, err
	}
	view, err := h.Content.View(shown)
	if err != nil {
		return view, err
	}
	for i, m := range view.Mounts {
		// A command of root that has ids of its own is not to read secrets of the host's root for all that.
		view.Mounts[i].NoOwners = pathname.IsWithin(m.Target, content.LocalTop, optionalTop)
	}
	etc := string(h.Places) + "/etc"
	if useEtc != nil {
		if etc, err = useEtc(); err != nil {
			return view, err
		}
	}
	view.Mounts = append(view.Mounts, roottree.Mount{Source: etc, Target: "/etc", ReadOnly: true})
	view.Dirs = append(view.Dirs, "/home", "/root", "/srv", "/var", "/var/cache", "/var/lib", "/var/log", "/var/opt",
		"/var/spool", "/var/tmp")
	view.Links = append(view.Links, roottree.Link{Path: "/var/run", Target: "../run"},
		roottree.Link{Path: "/var/lock", Target: "../run/lock"})
	home := path.Clean(s.Identity.Home)
	info, err := os.Stat(string(h.Places) + home)
	if s.Identity.UID != 0 && err == nil && info.IsDir() && strings.Count(home, "/") > 1 {
		view.Mounts = append(view.Mounts, roottree.Mount{Source: string(h.Places) + home, Target: home, ReadOnly: true})
	}
	return view, nil
}
