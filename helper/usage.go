package helper

import (
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
)

// Usage is what a container uses; nil is not known, and a limit of nil is none.
type Usage struct {
	Memory      *uint64  `json:"memory"`       // bytes, with the cache of its files
	MemoryLimit *uint64  `json:"memory_limit"` // bytes
	CPU         *float64 `json:"cpu"`          // seconds
	PIDs        *uint64  `json:"pids"`         // processes and threads
	PIDsLimit   *uint64  `json:"pids_limit"`
}

// usageOf reads what a container uses, by its first process.
func usageOf(init int, name string) Usage {
	groups, err := cgroup.Host().Of(init)
	if err != nil {
		return Usage{}
	}
	u := groups.Usage(name)
	return Usage{Memory: u.Memory, CPU: u.CPU, PIDs: u.PIDs}
}

func (u *Usage) setLimits(s *config.Sandbox) {
	if memory := uint64(s.Limits.Memory); memory > 0 {
		u.MemoryLimit = &memory
	}
	if pids := uint64(s.Limits.PIDs); pids > 0 {
		u.PIDsLimit = &pids
	}
}
