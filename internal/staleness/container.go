// SPDX-License-Identifier: Apache-2.0

package staleness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// ErrNotRunning is returned for a sandbox that is not up.
var ErrNotRunning = errors.New("is not running")

// maxTime bounds how long the processes of a container are looked at: how many they are, it decides.
const maxTime = 20 * time.Second

// Host is where containers run.
type Host struct {
	Root     string // below which its files lie; empty for /
	Configs  config.Store
	Packages []pkgdb.Database
}

// hostKeys are of configs and begin the lines that no restart makes count: they count at once.
var hostKeys = []string{"autostart=", "auto-restart=", "auto-restart-window="}

// Of tells what of a container that is up is older than the host, or than its config. libvirt is not asked.
// Errors: config.ErrNotFound, ErrNotRunning.
func (h Host) Of(ctx context.Context, name string) (*Report, error) {
	wanted, err := h.Configs.Load(name)
	if errors.Is(err, config.ErrNotFound) {
		return nil, err
	}
	run := places.Root(h.Root).Of(name).Run()
	state := run.State()
	if state.Phase != places.PhaseReady || state.Admission == nil {
		return nil, fmt.Errorf("%s %w", name, ErrNotRunning)
	}
	r := &Report{Sandbox: name, EtcIsOld: run.EtcIsOld(), Config: []string{}}
	if started, recordedErr := run.Recorded(); err == nil && recordedErr == nil {
		r.Config = slices.DeleteFunc(append(r.Config, wanted.LinesNotIn(started)...), func(line string) bool {
			return slices.ContainsFunc(hostKeys, func(key string) bool { return strings.HasPrefix(line, key) })
		})
	}
	groups, err := cgroup.Below(h.Root).Of(state.Admission.Init.PID)
	if err != nil {
		return nil, fmt.Errorf("%s %w", name, ErrNotRunning) // it has ended just now
	}
	whole, err := groups.Freezer(name)
	if err != nil {
		return nil, fmt.Errorf("look at the processes of %s: %w", name, err)
	}
	r.Halted = whole.IsFrozen()
	pids, err := whole.Processes()
	if err != nil {
		return nil, err
	}
	reading, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	if r.Processes, err = Proc(h.Root+"/proc").Find(reading, pids); err != nil {
		return nil, err
	}
	return r, h.name(ctx, r.Processes)
}
