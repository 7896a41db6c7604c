// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/innersystemd"
	"github.com/virt-sandbox/virt-sandbox/internal/monitor"
	"github.com/virt-sandbox/virt-sandbox/internal/overview"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// What list and status tell of sandboxes.
type (
	Status  = overview.Status
	Row     = overview.Row
	Details = overview.Details
	Usage   = overview.Usage

	Consumption = overview.Consumption
	InnerUnit   = overview.InnerUnit
)

// insideLimit is how long a container may take to answer: one that is not well must not keep its status from being
// told.
const insideLimit = 5 * time.Second

// Details looks at one sandbox. Errors: config.ErrNotFound.
func (m *Manager) Details(ctx context.Context, name string) (*Details, error) {
	if m.byFiles {
		return m.detailsByFiles(ctx, name)
	}
	if _, err := m.Store.Read(name); err != nil {
		return nil, err
	}
	connection, err := m.libvirt.Connect()
	if virt.IsAway(err) {
		m.Warn("%v; what only it and the container know is left out", err)
		return m.detailsByFiles(ctx, name)
	}
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

// detailsByFiles is Details without libvirt.
func (m *Manager) detailsByFiles(ctx context.Context, name string) (*Details, error) {
	d, s, err := m.onlooker().Details(name)
	if s != nil && m.systemd.Booted() {
		m.askUnit(ctx, d, s)
	}
	return d, err
}

// lookInside tells of a container that is up. What it does not answer is left out: its status is asked when it is not
// well.
func (m *Manager) lookInside(ctx context.Context, d *Details, s *config.Sandbox, running libvirtDomain) {
	run := m.run(s.Name).State()
	if !run.Since.IsZero() {
		since := run.Since.Truncate(time.Second)
		d.Since = &since
	}
	d.Halted, d.EtcIsOld = run.Frozen != "" || m.isPaused(running, s.Name), m.run(s.Name).EtcIsOld()
	controller, err := controllerOf(running)
	if err != nil {
		return
	}
	defer controller.Close()
	init, err := m.initOf(controller.PID())
	if err != nil {
		return
	}
	d.Machine, d.Label = m.startup().MachineOf(ctx, init), secontext.OfProcess(init)
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
	d.Usage = overview.UsageOf(m.cgroups(), init, s)
	if d.Halted || s.Generic() {
		return
	}
	units, failed, err := m.askInside(ctx, s)
	if err != nil {
		m.Warn("%v", err)
	} else if d.State == overview.Running {
		d.State = overview.StateInside(units, failed)
	}
	d.SetHealth(s.Health, m.run(s.Name).Health())
	d.NeedsRestart = places.IsStale(m.run(s.Name))
	d.InnerUnits, d.Failed = append(d.InnerUnits, units...), append(d.Failed, failed...)
}

// askInside asks the container's systemd for the states of its units, and for all that failed.
func (m *Manager) askInside(ctx context.Context, s *config.Sandbox) (units []InnerUnit, failed []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, insideLimit)
	defer cancel()
	systemd, err := m.inside(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	defer systemd.Close()
	err = innersystemd.EachPart(ctx, systemd.Unit, s.Units, func(unit string, state innersystemd.State) {
		units = append(units, InnerUnit{Unit: unit, Active: state.Active, Sub: state.Sub, Result: state.Result})
	})
	if err == nil {
		failed, err = systemd.Failed(ctx)
	}
	return units, failed, err
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
	switch {
	// The monitor says what failed inside, and the helper, which ends with 1, why a start failed.
	case unit.ExitStatus == monitor.StatusFailed, unit.ExitStatus == 1 && unit.Said != "":
		d.LastError += ": " + unit.Said
	case unit.LastLine != "":
		d.LastError += ": " + unit.LastLine
	}
}
