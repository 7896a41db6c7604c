// SPDX-License-Identifier: Apache-2.0

// Package overview has what list and status tell of sandboxes: the shapes that scripts read as JSON, and what control
// groups and unit files say. In: a sandbox, its processes and this host's files; out: values, in which what is not
// known is null. Package helper fills them; programs print them.
package overview

import (
	"cmp"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/health"
)

// The states of a sandbox, besides those of a run that is not ready (places.Phase).
const (
	Running  = "running"
	Degraded = "degraded" // it runs, and units inside have failed
	Done     = "done"     // it runs, and all its units have ended well
	Stopped  = "stopped"
	Deleting = "deleting"
	Unusable = "unusable" // its config
	Masked   = "masked"   // its config is a link to /dev/null
	Unknown  = "unknown"  // libvirt was not to be asked
)

// Status is what is known of a sandbox without looking inside.
type Status struct {
	Name    string   `json:"name"`
	State   string   `json:"state"` // one of the above, starting or stopping
	Units   []string `json:"units,omitempty"`
	Command []string `json:"command,omitempty"`
	Unit    string   `json:"unit,omitempty"` // that runs it on the host
	Level   string   `json:"level,omitempty"`
	Content string   `json:"content,omitempty"`
	Health  string   `json:"health,omitempty"` // of one that is up and has health-cmd=: starting, healthy or unhealthy
	// NeedsRestart is set of one that is up and older than the host or its config, as needs-restart last found.
	NeedsRestart bool `json:"needs_restart,omitempty"`
	// Interrupted is set of one that a killed command left while it was starting or stopping; the next start, stop or
	// delete ends that.
	Interrupted bool   `json:"interrupted,omitempty"`
	Error       string `json:"error,omitempty"` // why a config is unusable, or what masks it
}

// Row is one line of a list.
type Row struct {
	Status
	Enabled *bool      `json:"enabled"` // it starts with the host
	Since   *time.Time `json:"since"`   // when it came up; null for one that is down
	Consumption
	Addresses []netip.Prefix `json:"addresses"` // of its network
}

// Consumption is what a container uses; nil is not known.
type Consumption struct {
	Memory  *uint64  `json:"memory"`  // bytes, with the cache of its files
	CPU     *float64 `json:"cpu"`     // seconds since the start
	PIDs    *uint64  `json:"pids"`    // processes and threads
	Read    *uint64  `json:"read"`    // bytes of block devices since the start
	Written *uint64  `json:"written"` // the same
}

// ConsumptionOf reads what a container uses, by its first process.
func ConsumptionOf(tree cgroup.Tree, init int, name string) Consumption {
	groups, err := tree.Of(init)
	if err != nil {
		return Consumption{}
	}
	used := groups.Usage(name)
	return Consumption{used.Memory, used.CPU, used.PIDs, used.Read, used.Written}
}

// Details are what status tells of one sandbox. What is not known is null.
type Details struct {
	Status
	Since      *time.Time     `json:"since"`     // when it came up, or its unit went down
	Halted     bool           `json:"halted"`    // paused by libvirt, or for a copy
	Machine    string         `json:"machine"`   // what systemd-machined calls it; empty where that does not know it
	Label      string         `json:"label"`     // SELinux context or AppArmor profile of its processes
	Addresses  []netip.Prefix `json:"addresses"` // of its network
	Usage      Usage          `json:"usage"`
	InnerUnits []InnerUnit    `json:"inner_units"`
	EtcIsOld   bool           `json:"etc_is_old"` // it sees the host's /etc as that was, and not as it is
	Failed     []string       `json:"failed"`     // units inside that failed
	LastError  string         `json:"last_error"` // why its unit failed
}

// Describe tells of a sandbox what its config does; its state is Unknown where that can be used. Of a config that
// cannot be used, or not be read by a caller who is not root, there is no description.
func Describe(store config.Store, name string) (Status, *config.Sandbox) {
	s, err := store.Load(name)
	if err != nil {
		state, masked := Unusable, (*config.MaskedError)(nil)
		switch {
		case errors.As(err, &masked):
			state = Masked
		case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
			state = Unknown
		}
		return Status{Name: name, State: state, Error: err.Error()}, nil
	}
	return Status{
		Name: name, State: Unknown, Units: s.Units, Command: s.Command, Unit: s.HostUnit(),
		Level: s.Security.Level, Content: s.Content,
	}, s
}

// SetHealth tells of one that is up how its check goes. What is not well is degraded at least.
func (s *Status) SetHealth(check health.Check, verdict string) {
	if check.Command == "" {
		return
	}
	s.Health = cmp.Or(verdict, health.Starting)
	if verdict == health.Unhealthy && s.State == Running {
		s.State = Degraded
	}
}

// Summary is the state for a person, in short.
func (s Status) Summary() string {
	var more []string
	if s.Interrupted {
		more = append(more, "interrupted")
	}
	if s.Health != "" {
		more = append(more, s.Health)
	}
	if s.NeedsRestart {
		more = append(more, "needs restart")
	}
	if len(more) == 0 {
		return s.State
	}
	return s.State + " (" + strings.Join(more, ", ") + ")"
}

// IsRunning reports whether the container is up.
func (s Status) IsRunning() bool {
	return s.State == Running || s.State == Degraded || s.State == Done
}

// StateInside returns the state of a container that is up by those of its units, and by the names of others inside that
// failed.
func StateInside(units []InnerUnit, failed []string) string {
	ended := func(u InnerUnit) bool { return u.Active == "inactive" && u.Result == "success" }
	switch {
	case len(failed) > 0:
		return Degraded
	case len(units) > 0 && !slices.ContainsFunc(units, func(u InnerUnit) bool { return !ended(u) }):
		return Done
	}
	return Running
}

// InnerUnit is the state of a unit inside (org.freedesktop.systemd1(5)).
type InnerUnit struct {
	Unit   string `json:"unit"`
	Active string `json:"active"`
	Sub    string `json:"sub"`
	Result string `json:"result"`
}

// Usage is what a container uses; nil is not known, and a limit of nil is none.
type Usage struct {
	Memory      *uint64  `json:"memory"`       // bytes, with the cache of its files
	MemoryLimit *uint64  `json:"memory_limit"` // bytes
	CPU         *float64 `json:"cpu"`          // seconds
	PIDs        *uint64  `json:"pids"`         // processes and threads
	PIDsLimit   *uint64  `json:"pids_limit"`
}

// UsageOf reads what a container uses, by its first process, and what it may use: what its config allows, unless it was
// given other limits since its start.
func UsageOf(tree cgroup.Tree, init int, s *config.Sandbox) Usage {
	var u Usage
	if memory := uint64(s.Limits.Memory); memory > 0 {
		u.MemoryLimit = &memory
	}
	if pids := uint64(s.Limits.PIDs); pids > 0 {
		u.PIDsLimit = &pids
	}
	groups, err := tree.Of(init)
	if err != nil {
		return u
	}
	used := groups.Usage(s.Name)
	u.Memory, u.CPU, u.PIDs = used.Memory, used.CPU, used.PIDs
	memory, pids := groups.Limits(s.Name)
	// libvirt bounds a container by the host's memory if by nothing else.
	if memory != nil && (u.MemoryLimit != nil || *memory < hostMemory()) {
		u.MemoryLimit = memory
	}
	if pids != nil {
		u.PIDsLimit = pids
	}
	return u
}

// hostMemory is how many bytes of memory the host has; 0 where that is not known.
func hostMemory() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return info.Totalram * uint64(info.Unit) &^ 1023
}

// Enabled knows which units the administrator has enabled, as one look at a directory of units tells.
type Enabled struct {
	stubs, wanted map[string]bool // by unit
}

// ReadEnabled looks at the directory of the administrator's units (systemctl(1), enable).
func ReadEnabled(dir string) Enabled {
	e := Enabled{make(map[string]bool), make(map[string]bool)}
	for _, name := range namesIn(dir) {
		switch {
		case strings.HasSuffix(name, ".wants"), strings.HasSuffix(name, ".requires"):
			for _, unit := range namesIn(filepath.Join(dir, name)) {
				e.wanted[unit] = true
			}
		default:
			e.stubs[name] = true
		}
	}
	return e
}

// Has reports whether a sandbox starts with the host: a unit file decides, and where none is, autostart= in its config.
func (e Enabled) Has(s *config.Sandbox) bool {
	unit := s.HostUnit()
	return e.wanted[unit] || !e.stubs[unit] && s.Autostart
}

// namesIn lists a directory; one that cannot be read is an empty one.
func namesIn(dir string) []string {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	return names
}
