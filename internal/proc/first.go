// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrNoFirst is returned by FindFirst while a process has no child that is the first of a PID namespace, or no more.
var ErrNoFirst = errors.New("the container has no first process")

// IsFirst reports whether a process is a child of parent and number 1 in a PID namespace of its own.
func (d Dir) IsFirst(pid, parent int) bool {
	status, err := d.Status(pid)
	return err == nil && status.Parent() == parent && status.IsFirst()
}

// FindFirst looks for the child of parent that is number 1 in its own PID namespace. Where the kernel does not tell of
// it as a child of the main thread (proc(5)) it looks among all processes. With hundreds of containers that takes long:
// ask IsFirst first where a number is known. Errors: ErrNoFirst.
func (d Dir) FindFirst(parent int) (int, error) {
	for _, pid := range d.children(parent) {
		if d.IsFirst(pid, parent) {
			return pid, nil
		}
	}
	pids, err := d.PIDs()
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		if d.IsFirst(pid, parent) {
			return pid, nil
		}
	}
	return 0, ErrNoFirst
}

// children returns the processes that the main thread of one has made, as far as the kernel tells of them.
func (d Dir) children(pid int) (pids []int) {
	text, err := os.ReadFile(d.path(pid, filepath.Join("task", strconv.Itoa(pid), "children")))
	if err != nil {
		return nil
	}
	for word := range strings.FieldsSeq(string(text)) {
		if child, err := strconv.Atoi(word); err == nil {
			pids = append(pids, child)
		}
	}
	return pids
}
