// SPDX-License-Identifier: Apache-2.0

// Package onlooker is what callers who are not root are told of sandboxes that stay. In: configs, states and the
// runtime directory, as far as the kernel lets the caller read them; out: the values of package overview. It asks
// neither libvirt nor a container, and has no rights but its caller's: members of account.Readers may read the states,
// others configs only. Package helper calls it.
package onlooker

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/account"
	"github.com/virt-sandbox/virt-sandbox/internal/apparmor"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/overview"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
)

// ErrNotShown is returned where the caller may not read the states of sandboxes.
var ErrNotShown = fmt.Errorf("states are shown to root and to members of the group %s", account.Readers)

// Host is what is looked at.
type Host struct {
	Configs config.Store
	Root    places.Root
}

// List tells of every sandbox that has a config. Errors: ErrNotShown, with the rows.
func (h Host) List(names []string, enabled overview.Enabled) (list []overview.Row, err error) {
	for _, name := range names {
		row := overview.Row{Addresses: []netip.Prefix{}}
		status, s, run := h.status(name)
		row.Status = status
		if s != nil {
			starts := enabled.Has(s)
			row.Enabled = &starts
		}
		if row.State == overview.Unknown {
			err = ErrNotShown
		}
		if init := run.Admission; row.IsRunning() && init != nil {
			row.Since = sinceOf(run)
			row.Consumption = overview.ConsumptionOf(cgroup.Below(string(h.Root)), init.Init.PID, name)
			row.Addresses = append(row.Addresses, fixedAddresses(s)...)
		}
		list = append(list, row)
	}
	return list, err
}

// Details looks at one sandbox. What can be seen only inside is left out. It returns the description too; nil for one
// that cannot be read. Errors: config.ErrNotFound.
func (h Host) Details(name string) (*overview.Details, *config.Sandbox, error) {
	if _, err := h.Configs.Find(name); errors.Is(err, config.ErrNotFound) {
		return nil, nil, err
	}
	status, s, run := h.status(name)
	d := &overview.Details{
		Status: status, Addresses: []netip.Prefix{}, InnerUnits: []overview.InnerUnit{}, Failed: []string{},
	}
	init := run.Admission
	if s == nil || init == nil || !d.IsRunning() {
		return d, s, nil
	}
	d.Since, d.Halted = sinceOf(run), run.Frozen != ""
	if d.Label = secontext.OfProcess(init.Init.PID); d.Label == "" {
		d.Label = apparmor.Root(h.Root).ProfileOf(init.Init.PID)
	}
	d.Usage = overview.UsageOf(cgroup.Below(string(h.Root)), init.Init.PID, s)
	d.Addresses = append(d.Addresses, fixedAddresses(s)...)
	return d, s, nil
}

// status tells of a sandbox what files do, and of its run.
func (h Host) status(name string) (overview.Status, *config.Sandbox, places.State) {
	status, s := overview.Describe(h.Configs, name)
	if s == nil && status.State != overview.Unknown {
		return status, nil, places.State{}
	}
	place := h.Root.Of(name).Run()
	run, err := place.Seen()
	if err != nil {
		if status.State = overview.Unknown; errors.Is(err, places.ErrNewer) {
			status.Error = err.Error()
		}
		return status, s, places.State{}
	}
	status.State = overview.Stopped
	alive := run.Admission == nil || run.Admission.Init.IsAlive()
	switch {
	case run.Phase == places.PhaseReady && alive:
		if status.State = overview.Running; place.IsDegraded() {
			status.State = overview.Degraded
		}
		if s != nil {
			status.SetHealth(s.Health, place.Health())
		}
	case run.Phase != "" && run.Phase != places.PhaseReady && alive:
		status.State = string(run.Phase)
	case s != nil && s.State == config.StateDeleting:
		status.State = overview.Deleting
	}
	return status, s, run
}

func sinceOf(run places.State) *time.Time {
	if run.Since.IsZero() {
		return nil
	}
	since := run.Since.Truncate(time.Second)
	return &since
}

// fixedAddresses are those that a config says; what a server has given is known inside alone.
func fixedAddresses(s *config.Sandbox) (list []netip.Prefix) {
	if s == nil {
		return nil
	}
	for _, i := range s.Interfaces {
		for _, a := range i.Addresses {
			list = append(list, a.Prefix)
		}
	}
	return list
}
