// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Entrance is what a process joins the groups of a container by, open. The files can be written to from any namespace:
// the kernel asks what the one who opened them may do.
type Entrance struct {
	// Tasks are the files of version 1 that a thread writes "0" to, to join; its children are born there. For another
	// number, the kernel would wait until no processor is at an old state (RCU), which takes 10 ms.
	Tasks []*os.File
	// Freezer is that of the freezer; nil for none. Whoever joins it stands still whenever the container does, and is
	// not to be one that others wait for. It is of the topmost group that the container sees, whichever of those below
	// its first process has gone to.
	Freezer *os.File
	// Version2 is for a process to be started in (syscall.SysProcAttr.CgroupFD); nil for none.
	Version2 *os.File
}

// Entrance opens the groups for a process of a sandbox to join. Close is to be called, also after an error.
func (g Groups) Entrance(sandbox string) (e Entrance, err error) {
	open := func(file string) *os.File {
		if err != nil {
			return nil
		}
		var f *os.File
		f, err = os.OpenFile(file, os.O_WRONLY, 0)
		return f
	}
	for hierarchy, dir := range g.dirs {
		switch {
		case hierarchy == "":
		case slices.Contains(strings.Split(hierarchy, ","), "freezer"):
			e.Freezer = open(filepath.Join(seenTop(dir, sandbox), "tasks"))
		default:
			e.Tasks = append(e.Tasks, open(filepath.Join(dir, "tasks")))
		}
	}
	if dir, found := g.version2(); found && err == nil {
		e.Version2, err = os.Open(dir)
	}
	return e, err
}

// Close closes the files.
func (e Entrance) Close() {
	for _, f := range append(e.Tasks, e.Freezer, e.Version2) {
		// Close does nothing for nil but say so.
		_ = f.Close()
	}
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
