// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// IsOfUnit reports whether the group of version 2 is one of a unit of the host's systemd.
func (g Groups) IsOfUnit(unit string) bool {
	dir, found := g.version2()
	return found && slices.Contains(strings.Split(strings.TrimPrefix(dir, g.root), "/"), unit)
}

// ErrAway says that a process could not be moved back to its group.
var ErrAway = errors.New("a process is not in its own cgroup any more")

// Visit moves a process to the group of version 2 that the visited one has, calls do, and moves it back. Errors:
// ErrAway.
// Preconditions: the process waits, and is trusted: what it makes meanwhile stays there.
func (g Groups) Visit(visited Groups, pid int, do func() error) error {
	own, found := g.version2()
	other, visible := visited.version2()
	if !found || !visible {
		return errors.New("move to a unit's group: the host has none of version 2")
	}
	if err := move(pid, other); err != nil {
		return fmt.Errorf("move to %s: %w", filepath.Base(other), err)
	}
	err := do()
	if back := move(pid, own); back != nil {
		err = errors.Join(err, fmt.Errorf("%w: move back to %s: %w", ErrAway, filepath.Base(own), back))
	}
	return err
}
