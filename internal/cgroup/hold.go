// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Hold keeps a file of version 2 known to the kernel, for this process and what it executes: the cgroup.procs of what
// the container of a sandbox sees as its root. The kernel looks at that file's SELinux label whenever systemd inside
// moves a process to its unit, but without its name. Where memory is short, and it has forgotten the file, it takes
// the label of all cgroups for it, and no unit inside starts any more.
func (g Groups) Hold(sandbox string) error {
	dir, found := g.version2()
	if !found {
		return nil
	}
	file := filepath.Join(seenTop(dir, sandbox), "cgroup.procs")
	if _, err := unix.Open(file, unix.O_PATH, 0); err != nil {
		return fmt.Errorf("hold %s: %w", file, err)
	}
	return nil
}
