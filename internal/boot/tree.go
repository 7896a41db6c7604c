// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/domain"
	"github.com/virt-sandbox/virt-sandbox/internal/innerboot"
	"github.com/virt-sandbox/virt-sandbox/internal/lxcfs"
	"github.com/virt-sandbox/virt-sandbox/internal/roottree"
)

// tree returns all that is mounted in the root of a container, in order: what the host and the content show, the
// administrator's mounts, binds of one place inside at another, and last what the helper gives to init, which nothing
// covers.
func tree(s *config.Sandbox, f *Facts) *roottree.Content {
	c := roottree.Content{View: f.View, IDs: s.Hardening.IDMap}
	if f.OneShot != nil {
		c.Base = f.OneShot.Root
	}
	if f.SELinux && s.FileLabel() != "" {
		c.Label = s.WritableLabel()
	}
	c.Mounts = append(slices.Clone(c.Mounts),
		roottree.Mount{Target: "/run", Memory: s.Limits.Run, Mode: 0o755},
		roottree.Mount{Target: "/tmp", Memory: s.Limits.Tmp, Mode: 0o1777},
	)
	mounts, inside := administrators(s, f.Mounted)
	c.Mounts = slices.Concat(c.Mounts, mounts, ofUnits(s, f.Fitting), inside)
	// Init and its plan keep the host's ids, which is all the same to who only reads them: not every kernel can map
	// those of a file system in memory.
	c.Mounts = append(c.Mounts,
		roottree.Mount{Source: f.Runtime, Target: domain.GuestDir, ReadOnly: true, HostIDs: true},
		roottree.Mount{Source: f.Init, Target: domain.GuestInit, ReadOnly: true, HostIDs: true},
	)
	if len(f.Proc) > 0 {
		c.Mounts = append(c.Mounts,
			roottree.Mount{Source: lxcfs.Dir, Target: lxcfs.GuestDir, ReadOnly: true, HostIDs: true})
	}
	c.Untrusted = Written(s)
	return &c
}

// ofUnits returns the mounts that stand for those of units.
func ofUnits(s *config.Sandbox, m innerboot.Fitting) (mounts []roottree.Mount) {
	for _, place := range m.Memory {
		mounts = append(mounts, roottree.Mount{Target: place, Memory: s.Limits.Tmp, Mode: 0o755})
	}
	for _, b := range m.Binds {
		mounts = append(mounts, roottree.Mount{
			Target: b.Target, Source: b.Source, Inside: true, ReadOnly: b.ReadOnly, Make: b.InMemory,
		})
	}
	return mounts
}

// Written returns the directories and files of the host that a sandbox writes to.
func Written(s *config.Sandbox) (paths []string) {
	if s.Content != "" {
		paths = append(paths, s.Content)
	}
	for _, m := range s.Mounts {
		if m.Kind.ShowsHostFiles() && m.Kind.IsWritable() {
			paths = append(paths, m.Source)
		}
	}
	return paths
}

// administrators returns the mounts that the config names: of the host and of memory, and those of places inside. One
// below another comes after it.
func administrators(s *config.Sandbox, mounted map[string]string) (mounts, inside []roottree.Mount) {
	for _, m := range s.Mounts {
		one := roottree.Mount{Target: m.Target, Source: m.Source, ReadOnly: !m.Kind.IsWritable()}
		switch {
		case m.Kind.ShowsInside():
			one.Inside, one.ReadOnly = true, false
			inside = append(inside, one)
			continue
		case m.Kind.ShowsImage():
			one.Source = mounted[m.Target]
		case domain.IsLibvirts(s, m):
			continue
		case m.Kind.ShowsMemory():
			one.Source, one.Memory, one.Mode = "", m.Size, 0o1777
		}
		mounts = append(mounts, one)
	}
	byTarget := func(a, b roottree.Mount) int { return strings.Compare(a.Target, b.Target) }
	slices.SortStableFunc(mounts, byTarget)
	slices.SortStableFunc(inside, byTarget)
	return mounts, inside
}
