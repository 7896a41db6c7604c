// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// mostDepth is how many levels below the root a group of a container can lie.
	mostDepth = 6
	// busyLimit is how long processes that the kernel is ending may keep a group.
	busyLimit = 5 * time.Second
)

// Remove removes all groups of a name, OwnName or MadeByLibvirt, with those below, and those that a libvirtd made which
// was down when the container ended. libvirt takes those along that lie below a group of its own, but not all
// hierarchies have one; in a container with ids of its own, not all of its groups have one below.
func (t Tree) Remove(name string) error {
	var found []string
	err := filepath.WalkDir(t.Root, func(p string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return nil
		}
		if e.Name() == name || isLibvirtsFor(e.Name(), strings.TrimPrefix(name, ownPrefix)) {
			found = append(found, p)
			return fs.SkipDir
		}
		// What lies in another container's group is made by root in there. Of hundreds of containers, all groups of
		// the others would be looked at for each.
		if strings.HasPrefix(e.Name(), ownPrefix) || isOthers(e.Name(), name) {
			return fs.SkipDir
		}
		if strings.Count(p[len(t.Root):], "/") > mostDepth {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for cgroups: %w", err)
	}
	for _, top := range found {
		if err := removeTree(top); err != nil {
			return err
		}
		// A libvirtd that was down when the container ended does not know of the group that it made.
		if above := filepath.Dir(top); isLibvirts(filepath.Base(above)) {
			if err := removeOne(above); err != nil {
				return err
			}
		}
	}
	return nil
}

// Remove removes what was made for a sandbox below these groups, and what libvirt could not remove because its
// controller was still in it. Unlike Tree.Remove it walks through no others, which takes its time.
func (g Groups) Remove(sandbox string) error {
	var errs []error
	for _, dir := range g.dirs {
		if !isOfContainer(dir) {
			dir = filepath.Join(dir, OwnName(sandbox))
		}
		errs = append(errs, removeTree(dir))
	}
	return errors.Join(errs...)
}

// removeTree removes a group and those below, if it is there.
func removeTree(top string) error {
	var dirs []string
	_ = filepath.WalkDir(top, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			dirs = append(dirs, p)
		}
		return nil
	})
	for i := len(dirs) - 1; i >= 0; i-- {
		if err := removeOne(dirs[i]); err != nil {
			return err
		}
	}
	return nil
}

// removeOne removes a group without groups below. A process that the kernel is still ending keeps it busy for a moment.
func removeOne(dir string) error {
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Rmdir(dir)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Since(begun) > busyLimit {
			return fmt.Errorf("remove cgroup %s: %w", dir, err)
		}
	}
}
