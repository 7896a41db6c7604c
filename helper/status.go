// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/innersystemd"
)

// Details are what status tells of one sandbox. What is not known is null.
type Details struct {
	Status
	Since      *time.Time     `json:"since"`     // when it came up, or its unit went down
	Halted     bool           `json:"halted"`    // paused by libvirt, or for a copy
	Label      string         `json:"label"`     // SELinux context or AppArmor profile of its processes
	Addresses  []netip.Prefix `json:"addresses"` // of its network
	Usage      Usage          `json:"usage"`
	InnerUnits []InnerUnit    `json:"inner_units"`
	Failed     []string       `json:"failed"`     // units inside that failed
	LastError  string         `json:"last_error"` // why its unit failed
}

// InnerUnit is the state of a unit inside (org.freedesktop.systemd1(5)).
type InnerUnit struct {
	Unit   string `json:"unit"`
	Active string `json:"active"`
	Sub    string `json:"sub"`
	Result string `json:"result"`
}

// insideLimit is how long a container may take to answer: one that is not well must not keep its status from being
// told.
const insideLimit = 5 * time.Second

// Details looks at one sandbox. Errors: config.ErrNotFound.
func (m *Manager) Details(ctx context.Context, name string) (*Details, error) {
	if _, err := m.Store.Read(name); err != nil {
		return nil, err
	}
	connection, err := m.libvirt.Connect()
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	status, started, running, err := m.statusOf(connection, name)
	if err != nil {
		return nil, err
	}
	d := &Details{Status: status, Addresses: []netip.Prefix{}, InnerUnits: []InnerUnit{}, Failed: []string{}}
	if running != nil {
		defer running.Free()
		m.lookInside(ctx, d, started, running)
	}
	if started != nil && m.systemd.Booted() {
		m.askUnit(ctx, d, started)
	}
	return d, nil
}

// lookInside tells of a container that is up. What it does not answer is left out: its status is asked when it is not
// well.
func (m *Manager) lookInside(ctx context.Context, d *Details, s *config.Sandbox, running libvirtDomain) {
	run := m.run(s.Name).State()
	if !run.Since.IsZero() {
		since := run.Since.Truncate(time.Second)
		d.Since = &since
	}
	d.Halted = run.Frozen != "" || running.IsPaused()
	controller, err := controllerOf(running)
	if err != nil {
		return
	}
	defer controller.Close()
	init, err := m.initOf(controller.PID())
	if err != nil {
		return
	}
	d.Label = labelOf(init)
	if d.Label == "" {
		d.Label = m.apparmor().ProfileOf(init)
	}
	if len(s.Interfaces) > 0 {
		if addresses, err := m.addresses(ctx, s.Name); err != nil {
			m.Warn("%v", err)
		} else {
			d.Addresses = append(d.Addresses, addresses...)
		}
	}
	d.Usage = usageOf(m.cgroups(), init, s.Name)
	d.Usage.setLimits(s)
	if d.Halted || s.Generic() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, insideLimit)
	defer cancel()
	if err := m.askInside(ctx, d, s); err != nil {
		m.Warn("%v", err)
	}
}

// askInside asks the container's systemd for the states of its units.
func (m *Manager) askInside(ctx context.Context, d *Details, s *config.Sandbox) error {
	systemd, err := m.inside(ctx, s)
	if err != nil {
		return err
	}
	defer systemd.Close()
	err = innersystemd.EachPart(ctx, systemd.Unit, s.Units, func(unit string, state innersystemd.State) {
		d.InnerUnits = append(d.InnerUnits, InnerUnit{unit, state.Active, state.Sub, state.Result})
	})
	if err != nil {
		return err
	}
	failed, err := systemd.Failed(ctx)
	d.Failed = append(d.Failed, failed...)
	return err
}

// askUnit asks the host's systemd for what it has of a sandbox that is down, or failed.
func (m *Manager) askUnit(ctx context.Context, d *Details, s *config.Sandbox) {
	unit, err := m.systemd.Status(ctx, m.hostUnit(s))
	if err != nil {
		m.Warn("%v", err)
	}
	if err != nil || unit == nil {
		return
	}
	if d.Since == nil && !unit.InactiveSince.IsZero() {
		since := unit.InactiveSince.Truncate(time.Second)
		d.Since = &since
	}
	if !unit.Failed {
		return
	}
	d.LastError = fmt.Sprintf("%s failed (%s)", s.HostUnit(), unit.Result)
	if unit.LastLine != "" {
		d.LastError += ": " + unit.LastLine
	}
}

// IsRunning reports whether the container is up.
func (d *Details) IsRunning() bool { return d.State == "running" }

// Usage is what a container uses; nil is not known, and a limit of nil is none.
type Usage struct {
	Memory      *uint64  `json:"memory"`       // bytes, with the cache of its files
	MemoryLimit *uint64  `json:"memory_limit"` // bytes
	CPU         *float64 `json:"cpu"`          // seconds
	PIDs        *uint64  `json:"pids"`         // processes and threads
	PIDsLimit   *uint64  `json:"pids_limit"`
}

// usageOf reads what a container uses, by its first process.
func usageOf(tree cgroup.Tree, init int, name string) Usage {
	groups, err := tree.Of(init)
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
