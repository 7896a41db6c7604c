// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// LimitPIDs bounds the processes and threads of a container whose first program waits, in a group above those that it
// sees; 0 is no bound. Where the kernel does not count them, nothing does.
func (g Groups) LimitPIDs(sandbox string, first int, limit uint64) error {
	if limit == 0 {
		return nil
	}
	var err error
	text := []byte(strconv.FormatUint(limit, 10))
	if dir, found := g.dirs["pids"]; found {
		err = limitInOwnGroup(first, filepath.Join(dir, OwnName(sandbox)), text)
	} else if dir, found := g.version2(); found {
		err = g.limitGroup(dir, text)
	}
	if err != nil {
		return fmt.Errorf("limit processes: %w", err)
	}
	return nil
}

// limitInOwnGroup is for version 1, where libvirt makes no group of this controller: the container's root is the group
// below the one with the limit.
func limitInOwnGroup(first int, dir string, limit []byte) error {
	inner := filepath.Join(dir, "container")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "pids.max"), limit, 0o644); err != nil {
		return err
	}
	return move(first, inner)
}

// move moves a process to a group. One that has ended needs no place.
func move(pid int, dir string) error {
	err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// limitGroup is for version 2: the limit is that of the innermost group of the container that counts, or can be made
// to.
func (g Groups) limitGroup(dir string, limit []byte) error {
	for ; isOfContainer(dir); dir = filepath.Dir(dir) {
		file := filepath.Join(dir, "pids.max")
		err := os.WriteFile(file, limit, 0o644)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			// A controller is switched on for the groups below one.
			if os.WriteFile(filepath.Join(filepath.Dir(dir), "cgroup.subtree_control"), []byte("+pids"), 0o644) != nil {
				continue
			}
			err = os.WriteFile(file, limit, 0o644)
		}
		return err
	}
	controllers, err := os.ReadFile(filepath.Join(g.root, "cgroup.controllers"))
	if err == nil && slices.Contains(strings.Fields(string(controllers)), "pids") {
		return errors.New("no group of the container can count them: the pids controller is not delegated to it")
	}
	return nil
}

// maxGroups is how many groups a container may have below its own: a systemd with its services has some 50. The kernel
// has 65,535 groups with a bound of memory for all, and the host's systemd starts nothing without one.
const maxGroups = 2048

// LimitGroups bounds how many groups of version 2 root inside can make, in the topmost group that is the container's
// alone. A kernel before 4.14 knows no such bound, and a host that is a container itself may not set it.
func (g Groups) LimitGroups(sandbox string) error {
	dir, found := g.version2()
	if dir = wholeOf(dir, sandbox); !found || dir == "" {
		return nil
	}
	file, err := os.OpenFile(filepath.Join(dir, "cgroup.max.descendants"), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err == nil {
		_, err = file.WriteString(strconv.Itoa(maxGroups))
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return fmt.Errorf("limit cgroups: %w", err)
	}
	return nil
}

// Delegate makes a group of version 2 for the root of a container with ids of its own, where libvirt makes none, and
// moves the first process there. Root inside could not make one. owner is root's number on the host.
func (g Groups) Delegate(sandbox string, first, owner int) error {
	parent, found := g.version2()
	if !found || isOfContainer(parent) {
		return nil
	}
	dir := filepath.Join(parent, OwnName(sandbox))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make cgroup: %w", err)
	}
	// What systemd gives along when it delegates a group.
	for _, file := range []string{"", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"} {
		if err := os.Chown(filepath.Join(dir, file), owner, owner); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("give cgroup to the container: %w", err)
		}
	}
	if err := move(first, dir); err != nil {
		return fmt.Errorf("move the container to its cgroup: %w", err)
	}
	return nil
}
