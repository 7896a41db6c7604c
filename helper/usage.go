package helper

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
)

// Usage is what a container uses; nil is not known, and a limit of nil is none.
type Usage struct {
	Memory      *uint64  `json:"memory"`       // bytes, with the cache of its files
	MemoryLimit *uint64  `json:"memory_limit"` // bytes
	CPU         *float64 `json:"cpu"`          // seconds
	PIDs        *uint64  `json:"pids"`         // processes and threads
	PIDsLimit   *uint64  `json:"pids_limit"`
}

// usageOf reads what the cgroups of a container count, by its first process. On cgroup version 1 each controller has a group of
// its own.
func usageOf(init int, name string) Usage {
	groups, err := enter.Cgroups(init)
	if err != nil {
		return Usage{}
	}
	group := func(controller string) string {
		for hierarchy, dir := range groups {
			if slices.Contains(strings.Split(hierarchy, ","), controller) {
				return containerGroup(dir, name)
			}
		}
		return containerGroup(groups[""], name)
	}
	u := Usage{
		Memory: readCount(group("memory"), "memory.current", "memory.usage_in_bytes"),
		PIDs:   readCount(group("pids"), "pids.current"),
	}
	cpu := group("cpuacct")
	if nanoseconds := readCount(cpu, "cpuacct.usage"); nanoseconds != nil {
		seconds := float64(*nanoseconds) / 1e9
		u.CPU = &seconds
	} else if microseconds := readCount(cpu, "cpu.stat"); microseconds != nil {
		seconds := float64(*microseconds) / 1e6
		u.CPU = &seconds
	}
	return u
}

// readCount reads a number from the first file of a group that is there; of one with several, such as cpu.stat, it is the first.
// Nil for none.
func readCount(group string, files ...string) *uint64 {
	if group == "" {
		return nil
	}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(group, file))
		if err != nil {
			continue
		}
		for word := range strings.FieldsSeq(string(text)) {
			if number, err := strconv.ParseUint(word, 10, 64); err == nil {
				return &number
			}
		}
	}
	return nil
}

func (u *Usage) setLimits(s *config.Sandbox) {
	if memory := uint64(s.Limits.Memory); memory > 0 {
		u.MemoryLimit = &memory
	}
	if pids := uint64(s.Limits.PIDs); pids > 0 {
		u.PIDsLimit = &pids
	}
}
