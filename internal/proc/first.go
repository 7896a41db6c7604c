// SPDX-License-Identifier: Apache-2.0

package proc

import "errors"

// ErrNoFirst is returned by FindFirst while a process has no child that is the first of a PID namespace, or no more.
var ErrNoFirst = errors.New("the container has no first process")

// IsFirst reports whether a process is a child of parent and number 1 in a PID namespace of its own.
func (d Dir) IsFirst(pid, parent int) bool {
	status, err := d.Status(pid)
	return err == nil && status.Parent() == parent && status.IsFirst()
}

// FindFirst looks among all processes for the child of parent that is number 1 in its own PID namespace. With
// hundreds of containers that takes long: ask IsFirst first where a number is known. Errors: ErrNoFirst.
func (d Dir) FindFirst(parent int) (int, error) {
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
