// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/flagname"
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/staleness"
)

// errLater is why a sandbox is not restarted now.
var errLater = errors.New("its auto-restart-window= is over; it is restarted in the next one")

// autoRestart does with sandboxes that need a restart what their configs say. Those that are down, or whose configs
// cannot be used, are of no interest.
func autoRestart(ctx context.Context, m *helper.Manager, names []string, jobs int) error {
	wanted := make(map[string]*config.Sandbox)
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		s, err := m.Store.Load(name)
		wanted[name] = s
		return err != nil || s.AutoRestart == config.AutoRestartNo
	})
	var due []*staleness.Report
	failed := false
	found := lookAtAll(ctx, m, names)
	for i, name := range names {
		r, err := found[i].Report, found[i].err
		if errors.Is(err, staleness.ErrNotRunning) {
			continue
		}
		if err != nil {
			failed = true
			fmt.Fprintf(os.Stderr, "virt-sandbox-service: %s\n", about(name, flagname.Text(err)))
			continue
		}
		later := postponed(wanted[name], r, places.IsHeld(places.Root(m.Host.Root).Of(name).Run(), r.Reason()))
		if r.IsStale() && later == "" {
			due = append(due, r)
			printStaleness(os.Stdout, r)
		} else if found[i].isNew {
			printStaleness(os.Stdout, r)
			fmt.Printf("  %s\n", later)
		}
	}
	if len(due) > 0 {
		// That libvirt is away says nothing of whether they would come back: the timer elapses again.
		if err := helper.Reach(m); err != nil {
			return err
		}
	}
	err := restartStale(ctx, m, due, jobs, func(r *staleness.Report) error {
		// Those before it may have taken long.
		if !wanted[r.Sandbox].RestartWindow.Has(time.Now()) {
			return errLater
		}
		return nil
	})
	if err != nil {
		hold(m, due)
	} else if failed {
		err = errReported
	}
	return err
}

// postponed says when one that needs a restart gets it; "" for now.
func postponed(s *config.Sandbox, r *staleness.Report, isHeld bool) string {
	switch {
	case s.AutoRestart != config.AutoRestartYes || isHeld:
		return "to restart it: virt-sandbox-service needs-restart --restart " + r.Sandbox
	case !s.RestartWindow.Has(time.Now()):
		return "it is restarted in its window, " + s.RestartWindow.String()
	case r.Halted:
		return "it is restarted when it goes on, which resume has it do"
	}
	return ""
}

// hold has those that still are stale not be restarted when the timer elapses next: they might not come back either.
func hold(m *helper.Manager, due []*staleness.Report) {
	var names []string
	for _, r := range due {
		if run := places.Root(m.Host.Root).Of(r.Sandbox).Run(); places.IsStale(run) {
			places.Hold(run, r.Reason())
			names = append(names, r.Sandbox)
		}
	}
	if len(names) > 0 {
		fmt.Fprintf(os.Stderr, "virt-sandbox-service: unless more becomes old, only needs-restart --restart restarts: %s\n",
			strings.Join(names, ", "))
	}
}
