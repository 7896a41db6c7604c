// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Dir is where a proc file system (proc(5)) is mounted.
type Dir string

// Host is where it is mounted on the host.
const Host Dir = "/proc"

// path returns the place of a file of a process.
func (d Dir) path(pid int, name string) string {
	return filepath.Join(string(d), strconv.Itoa(pid), name)
}

// PIDs lists the processes that there are, in no certain order.
func (d Dir) PIDs() ([]int, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Exists reports whether there is a process of a number.
func (d Dir) Exists(pid int) bool {
	_, err := os.Stat(d.path(pid, ""))
	return err == nil
}

// Status is the text of a file of "Name:\tvalue" lines: proc_pid_status(5), proc_pid_fdinfo(5).
type Status []byte

// Status reads /proc/PID/status.
func (d Dir) Status(pid int) (Status, error) { return os.ReadFile(d.path(pid, "status")) }

// Field returns a value without blanks around it; "" where there is none of the name.
func (s Status) Field(name string) string {
	for l := range bytes.Lines(s) {
		if value, found := bytes.CutPrefix(l, []byte(name+":")); found {
			return strings.TrimSpace(string(value))
		}
	}
	return ""
}

// Parent returns the number of the process's parent; -1 where it is not told.
func (s Status) Parent() int { return number(s.Field("PPid")) }

// IsFirst reports whether the process is number 1 of a PID namespace below the reader's.
func (s Status) IsFirst() bool {
	numbers := strings.Fields(s.Field("NSpid"))
	return len(numbers) > 1 && numbers[len(numbers)-1] == "1"
}

// BoundingSet returns the capabilities that a process can ever have (capabilities(7)), by the bits of their numbers.
func (s Status) BoundingSet() (uint64, error) {
	value := s.Field("CapBnd")
	if value == "" {
		return 0, errors.New("no CapBnd in its status")
	}
	return strconv.ParseUint(value, 16, 64)
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}

// StartTime returns when a process was started, in clock ticks since the host's boot (proc_pid_stat(5), field 22):
// with its number that names one process only.
func (d Dir) StartTime(pid int) (uint64, error) {
	text, err := os.ReadFile(d.path(pid, "stat"))
	if err != nil {
		return 0, err
	}
	return parseStartTime(text)
}

func parseStartTime(stat []byte) (uint64, error) {
	// The name of the program comes before, in parentheses, and may have anything in it.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return 0, fmt.Errorf("a process's stat has %d fields", len(fields))
	}
	return strconv.ParseUint(string(fields[19]), 10, 64)
}

// Arguments returns the command line that a process was started with, the program's name first. It is never empty
// without an error; of a kernel thread it is one empty word.
func (d Dir) Arguments(pid int) ([]string, error) {
	text, err := os.ReadFile(d.path(pid, "cmdline"))
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00"), nil
}

// Executable returns the path of the program that a process executes.
func (d Dir) Executable(pid int) (string, error) { return os.Readlink(d.path(pid, "exe")) }

// Attribute returns an attribute of a security module, such as "current" or "apparmor/current" (proc_pid_attr(5)),
// without the zero byte or line feed at its end.
func (d Dir) Attribute(pid int, name string) (string, error) {
	text, err := os.ReadFile(d.path(pid, filepath.Join("attr", name)))
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(text), "\x00\n"), nil
}

// Cgroup reads /proc/PID/cgroup (cgroups(7)).
func (d Dir) Cgroup(pid int) (string, error) {
	text, err := os.ReadFile(d.path(pid, "cgroup"))
	return string(text), err
}

// Mounts opens /proc/PID/mountinfo. Reading it from its begin again tells of the mounts at that time.
func (d Dir) Mounts(pid int) (*os.File, error) { return os.Open(d.path(pid, "mountinfo")) }

// Root returns the path of a process's root, a link that leads there from any mount namespace.
func (d Dir) Root(pid int) string { return d.path(pid, "root") }

// Namespace returns the path of a namespace of a process, by its name in /proc/PID/ns (namespaces(7)): "mnt", "user".
func (d Dir) Namespace(pid int, name string) string { return d.path(pid, filepath.Join("ns", name)) }
