// SPDX-License-Identifier: Apache-2.0

// Package cgroup deals with the control groups (cgroups(7)) of containers, of version 1 and version 2 alike. In: the
// first process of a container and the sandbox's name; out: limits, labels, owners, counts, a container that stands
// still, and groups that are gone. The helper and internal/enter call it from the host; virt-sandbox-init, which
// makes the groups that a container sees, takes names and the parser from here.
//
// Where a container's processes are depends on the host: libvirt makes a group itself (lxc-NUMBER-NAME.libvirt-lxc)
// or has systemd-machined make one (machine-lxc\x2dNUMBER\x2dNAME.scope), and of version 1 not in all hierarchies.
// Below that, the first program makes one for what the container sees (OwnName).
package cgroup

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"

	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// Root is where the host, and a container too, has its control groups.
const Root = "/sys/fs/cgroup"

// Tree is what a host has of control groups. Host returns the real one.
type Tree struct {
	Root string   // below which all hierarchies are mounted
	Proc proc.Dir // of the processes in them
	// Mounts returns the mounts of hierarchies.
	Mounts func() ([]*mountinfo.Info, error)
}

// Host returns the control groups of this host.
func Host() Tree {
	return Tree{Root: Root, Proc: proc.Host, Mounts: func() ([]*mountinfo.Info, error) {
		return mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	}}
}

// Below returns the control groups of the host whose files lie below a directory; "" for this one. No other host has a
// hierarchy mounted.
func Below(root string) Tree {
	if root == "" {
		return Host()
	}
	return Tree{
		Root: root + Root, Proc: proc.Dir(root + string(proc.Host)),
		Mounts: func() ([]*mountinfo.Info, error) { return nil, nil },
	}
}

// Groups are the control groups of one process. Several goroutines may use them.
type Groups struct {
	root string
	dirs map[string]string // by the name of the hierarchy; "" is version 2
}

// Of finds the control groups of a process, those of hierarchies that are mounted.
func (t Tree) Of(pid int) (Groups, error) {
	text, err := t.Proc.Cgroup(pid)
	if err != nil {
		return Groups{}, err
	}
	mounts, err := t.Mounts()
	if err != nil {
		return Groups{}, fmt.Errorf("read mounts: %w", err)
	}
	memberships := Parse(text)
	points := mountPoints(mounts, memberships)
	groups := Groups{t.Root, make(map[string]string)}
	for _, m := range memberships {
		if point, mounted := points[m.Hierarchy]; mounted {
			groups.dirs[m.Hierarchy] = filepath.Join(point, filepath.Clean("/"+m.Path))
		}
	}
	return groups, nil
}

// Membership is a line of /proc/PID/cgroup.
type Membership struct {
	Hierarchy string // "cpu,cpuacct" or "name=systemd"; "" is version 2
	Path      string // of the process's group, below where the hierarchy is mounted
}

// Parse reads the text of /proc/PID/cgroup. Lines of another form are left out.
func Parse(text string) []Membership {
	var list []Membership
	for l := range strings.Lines(text) {
		if fields := strings.SplitN(strings.TrimSuffix(l, "\n"), ":", 3); len(fields) == 3 {
			list = append(list, Membership{fields[1], fields[2]})
		}
	}
	return list
}

// mountPoints finds where hierarchies are mounted, by their names.
func mountPoints(mounts []*mountinfo.Info, hierarchies []Membership) map[string]string {
	points := make(map[string]string)
	for _, m := range mounts {
		if m.FSType == "cgroup2" {
			points[""] = m.Mountpoint
			continue
		}
		for _, h := range hierarchies {
			if h.Hierarchy != "" && Shows(m, h.Hierarchy) {
				points[h.Hierarchy] = m.Mountpoint
			}
		}
	}
	return points
}

// Shows reports whether a mount is of a hierarchy of version 1. It has all controllers of that as options.
func Shows(m *mountinfo.Info, hierarchy string) bool {
	first, _, _ := strings.Cut(hierarchy, ",")
	return m.FSType == "cgroup" && slices.Contains(strings.Split(m.VFSOptions, ","), first)
}

// version2 returns the group of version 2.
func (g Groups) version2() (dir string, found bool) {
	dir, found = g.dirs[""]
	return dir, found
}

// counting returns the group of version 1 that has a controller, and that of version 2 where none has; "" for none.
func (g Groups) counting(controller string) string {
	for hierarchy, dir := range g.dirs {
		if slices.Contains(strings.Split(hierarchy, ","), controller) {
			return dir
		}
	}
	return g.dirs[""]
}

// OfContainer lists those groups that were made for a container, as directories.
func (g Groups) OfContainer() []string {
	var dirs []string
	for _, dir := range g.dirs {
		if isOfContainer(dir) {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	return dirs
}
