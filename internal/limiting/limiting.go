// SPDX-License-Identifier: Apache-2.0

// Package limiting changes limits of sandboxes, also of those that run. In: settings of [limits]; out: a config that
// says them, and a container that has them, or neither. The verb set-property calls it.
package limiting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/editing"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/staleness"
	"github.com/virt-sandbox/virt-sandbox/internal/suggest"
	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

// section has the limits.
const section = "limits"

// limit is a key that a running container takes.
type limit struct {
	key, setting string // of the config, and of the cgroup
	value        func(config.Limits) string
	take         func(to *config.Limits, from config.Limits)
}

var limits = []limit{
	{"cpus", "CPUQuota", func(l config.Limits) string { return cgroup.CPUQuota(l.CPUs) },
		func(to *config.Limits, from config.Limits) { to.CPUs = from.CPUs }},
	{"memory", "MemoryMax", func(l config.Limits) string { return atMost(uint64(l.Memory)) },
		func(to *config.Limits, from config.Limits) { to.Memory = from.Memory }},
	{"pids", "TasksMax", func(l config.Limits) string { return atMost(uint64(l.PIDs)) },
		func(to *config.Limits, from config.Limits) { to.PIDs = from.PIDs }},
}

// atMost is a bound as cgroups have it; 0 is none.
func atMost(n uint64) string {
	if n == 0 {
		return cgroup.Unlimited
	}
	return strconv.FormatUint(n, 10)
}

// Keys lists the keys that Set takes.
func Keys() (keys []string) {
	for _, l := range limits {
		keys = append(keys, l.key)
	}
	return keys
}

// Setting is a limit with its value as a config has it; an empty value is the default.
type Setting struct{ Key, Value string }

// Parse reads KEY=VALUE, also with the section before the key.
func Parse(text string) (Setting, error) {
	key, value, found := strings.Cut(text, "=")
	if !found {
		return Setting{}, fmt.Errorf("%q is not of the form KEY=VALUE", text)
	}
	if slices.Contains(Keys(), key) {
		return Setting{key, strings.TrimSpace(value)}, nil
	}
	if slices.ContainsFunc(config.New("").Entries(), func(e textmerge.Entry) bool {
		return e.Section == section && e.Key == key
	}) {
		return Setting{}, fmt.Errorf("%s= counts from the next start on: change it with edit, and restart the sandbox", key)
	}
	return Setting{}, fmt.Errorf("%q is not a limit that can be changed; those are %s%s", key, strings.Join(Keys(), ", "),
		suggest.DidYouMean("%s", key, Keys()))
}

// Setter changes the limits of sandboxes of a host.
type Setter struct {
	Root   string // of the host's files; empty for /
	Editor *editing.Editor
}

// Set changes limits, all of them or none: those of the container, where one runs, and those of the config unless they
// are to count only until the container stops. Errors: config.ErrNotFound, staleness.ErrNotRunning.
func (s Setter) Set(ctx context.Context, name string, settings []Setting, untilStop bool) error {
	if len(settings) == 0 {
		return errors.New("there is nothing to set")
	}
	lock, err := s.Editor.Lock(ctx, name)
	if err != nil {
		return err
	}
	defer lock.Release()
	var entries []textmerge.Entry
	for _, one := range settings {
		entries = append(entries, textmerge.Entry{Section: section, Key: one.Key, Value: one.Value})
	}
	change, err := s.Editor.With(name, entries)
	if err != nil {
		return err
	}
	undo, err := s.live(name, change.After.Limits, settings, untilStop)
	switch {
	case untilStop && errors.Is(err, staleness.ErrNotRunning):
		return fmt.Errorf("%w, and what is set until it stops needs one that runs", err)
	case err != nil && !errors.Is(err, staleness.ErrNotRunning):
		return err
	case untilStop:
		return nil
	}
	if err := s.Editor.Write(name, change); err != nil {
		return errors.Join(err, undo())
	}
	return s.Editor.Reload(ctx)
}

// live has the container of a sandbox take limits. The note of how it was started follows those that its config will
// have, so that needs-restart asks for no restart.
func (s Setter) live(
	name string, now config.Limits, settings []Setting, untilStop bool,
) (undo func() error, err error) {
	run := places.Root(s.Root).Of(name).Run()
	state := run.State()
	if state.Phase != places.PhaseReady || state.Admission == nil {
		return nothing, fmt.Errorf("%s %w", name, staleness.ErrNotRunning)
	}
	groups, err := cgroup.Below(s.Root).Of(state.Admission.Init.PID)
	// The number may be another's by now, whose groups these are.
	if init, gone := enter.ProcessOf(state.Admission.Init.PID); err != nil || gone != nil || init != state.Admission.Init {
		return nothing, fmt.Errorf("%s %w", name, staleness.ErrNotRunning)
	}
	started, err := run.Recorded()
	if err != nil {
		return nothing, err
	}
	before := *started
	var values []cgroup.Value
	for _, l := range limits {
		if slices.ContainsFunc(settings, func(one Setting) bool { return one.Key == l.key }) {
			values = append(values, cgroup.Value{Name: l.setting, Value: l.value(now)})
			l.take(&started.Limits, now)
		}
	}
	undoGroups, err := groups.Change(name, values)
	if err != nil {
		return nothing, fmt.Errorf("%w; to have it count from the next start on, use edit", err)
	}
	if untilStop {
		return undoGroups, nil
	}
	undo = func() error { return errors.Join(undoGroups(), run.Record(&before)) }
	if err := run.Record(started); err != nil {
		return nothing, errors.Join(err, undo())
	}
	return undo, nil
}

func nothing() error { return nil }
