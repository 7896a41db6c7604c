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
)

// Unlimited is the value of a setting that bounds nothing.
const Unlimited = "max"

// cpuPeriod is the length in microseconds of the period that a quota of CPUs is enforced over, libvirt's default.
const cpuPeriod = 100000

// setting is what a group has, and how either version calls it.
type setting struct {
	controller, file string // of version 2
	// Of version 1; empty where it has nothing that does the same.
	file1  string
	value1 func(value string) string // of a value for version 2
}

func same(value string) string { return value }

func shares(weight string) string { return scaled(weight, 1024, 2, 262144) }

func bfqWeight(weight string) string { return scaled(weight, 100, 1, 1000) }

// settingOf returns a setting by its name, which is that of systemd.resource-control(5).
func settingOf(name string) (setting, bool) {
	switch name {
	case "MemoryMax":
		return setting{"memory", "memory.max", "memory.limit_in_bytes", func(value string) string {
			if value == Unlimited {
				return "-1"
			}
			return value
		}}, true
	case "CPUQuota":
		return setting{"cpu", "cpu.max", "cpu.cfs_quota_us", func(value string) string {
			if quota, _, _ := strings.Cut(value, " "); quota != Unlimited {
				return quota
			}
			return "-1"
		}}, true
	case "TasksMax":
		return setting{"pids", "pids.max", "pids.max", same}, true
	case "CPUWeight":
		return setting{"cpu", "cpu.weight", "cpu.shares", shares}, true
	case "IOWeight":
		return setting{"io", "io.weight", "blkio.bfq.weight", bfqWeight}, true
	case "MemoryHigh", "MemoryLow", "MemorySwapMax":
		file := map[string]string{"MemoryHigh": "high", "MemoryLow": "low", "MemorySwapMax": "swap.max"}[name]
		return setting{controller: "memory", file: "memory." + file}, true
	case "AllowedCPUs":
		return setting{"cpuset", "cpuset.cpus", "cpuset.cpus", same}, true
	case "AllowedMemoryNodes":
		return setting{"cpuset", "cpuset.mems", "cpuset.mems", same}, true
	}
	return setting{}, false
}

// scaled makes a weight of 1 to 10000, where 100 is usual, one of which usual is another, within bounds.
func scaled(weight string, usual, least, most uint64) string {
	n, err := strconv.ParseUint(weight, 10, 32)
	if err != nil {
		return weight
	}
	return strconv.FormatUint(min(max(n*usual/100, least), most), 10)
}

// CPUQuota returns the value of the setting of that name for a number of CPUs; 0 is no bound.
func CPUQuota(cpus float64) string {
	if cpus == 0 {
		return fmt.Sprintf("%s %d", Unlimited, cpuPeriod)
	}
	return fmt.Sprintf("%d %d", int64(cpus*cpuPeriod), cpuPeriod)
}

// Set changes a setting of the group that bounds a container, above those that it sees. value is as version 2 has it.
func (g Groups) Set(sandbox, name, value string) error {
	w, err := g.find(sandbox, name, value)
	if err != nil {
		return err
	}
	return w.do()
}

// Value is a setting of systemd.resource-control(5) with its value, as version 2 has it.
type Value struct{ Name, Value string }

// Change sets several as Set does, or none: where one cannot be set, what was set before is put back. undo does that
// too.
func (g Groups) Change(sandbox string, values []Value) (undo func() error, err error) {
	var all, back []pending
	for _, v := range values {
		w, err := g.find(sandbox, v.Name, v.Value)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	undo = func() (err error) {
		for _, w := range slices.Backward(back) {
			err = errors.Join(err, w.do())
		}
		return err
	}
	for _, w := range all {
		was := w
		text, err := os.ReadFile(w.file)
		if err == nil {
			was.value = strings.TrimSpace(string(text))
			err = w.do()
		}
		if err != nil {
			return nil, errors.Join(err, undo())
		}
		back = append(back, was)
	}
	return undo, nil
}

// pending is a value for a file of a group.
type pending struct{ name, file, value string }

func (w pending) do() error {
	if err := os.WriteFile(w.file, []byte(w.value), 0o644); err != nil {
		return fmt.Errorf("set %s of the container's cgroup: %w", w.name, err)
	}
	return nil
}

// find returns what is to be written so that a setting of a container has a value.
func (g Groups) find(sandbox, name, value string) (pending, error) {
	s, known := settingOf(name)
	if !known {
		return pending{}, fmt.Errorf("cgroups have no setting %s", name)
	}
	dir := g.counting(s.controllerIn(g))
	if s.isVersion1(g) {
		if s.file = s.file1; s.file != "" {
			value = s.value1(value)
		}
	}
	dir = bounding(dir, sandbox)
	if dir == "" || s.file == "" {
		return pending{}, fmt.Errorf("the cgroups of this host have no %s for the container", name)
	}
	file := filepath.Join(dir, s.file)
	_, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		// A controller of version 2 is switched on for the groups below one.
		_ = os.WriteFile(filepath.Join(filepath.Dir(dir), "cgroup.subtree_control"), []byte("+"+s.controller), 0o644)
		_, err = os.Stat(file)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return pending{}, fmt.Errorf("the cgroups of this host have no %s for the container (%s)", name, s.file)
	}
	if err != nil {
		return pending{}, fmt.Errorf("set %s of the container's cgroup: %w", name, err)
	}
	return pending{name, file, value}, nil
}

// controllerIn returns the name of the controller as the groups of a process have it.
func (s setting) controllerIn(g Groups) string {
	if _, found := g.dirs["blkio"]; found && s.controller == "io" {
		return "blkio"
	}
	return s.controller
}

// isVersion1 reports whether a hierarchy of version 1 has the controller.
func (s setting) isVersion1(g Groups) bool {
	name := s.controllerIn(g)
	for hierarchy := range g.dirs {
		if slices.Contains(strings.Split(hierarchy, ","), name) {
			return true
		}
	}
	return false
}

// bounding returns the innermost group of a container above those that it sees: the one below which the first program
// has made its own, or, where libvirt makes none of that controller, the one that LimitPIDs made. "" for none.
func bounding(dir, sandbox string) string {
	if top := seenTop(dir, sandbox); filepath.Base(top) == OwnName(sandbox) && isOfContainer(filepath.Dir(top)) {
		return filepath.Dir(top)
	}
	if isOfContainer(dir) {
		return dir
	}
	return wholeOf(dir, sandbox)
}
