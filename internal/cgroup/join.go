// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// JoinThread moves this thread into those of the groups that are of version 1. Those of version 2 take no single
// thread. Preconditions: the goroutine is locked to its thread, which ends with it.
func (g Groups) JoinThread() error {
	for hierarchy, dir := range g.dirs {
		if hierarchy == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, "tasks"), []byte(strconv.Itoa(unix.Gettid())), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// OpenVersion2 opens the group of version 2 for a process to be started in (syscall.SysProcAttr.CgroupFD); nil where
// there is none.
func (g Groups) OpenVersion2() (*os.File, error) {
	dir, found := g.version2()
	if !found {
		return nil, nil
	}
	return os.Open(dir)
}

// MoveAbove moves a process to the groups of version 1 above those that were made for the container. It does what it
// can.
func (g Groups) MoveAbove(pid int) {
	for hierarchy, dir := range g.dirs {
		if hierarchy != "" && isOfContainer(dir) {
			_ = move(pid, filepath.Dir(dir))
		}
	}
}
