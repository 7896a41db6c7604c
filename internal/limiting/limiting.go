// SPDX-License-Identifier: Apache-2.0

// Package limiting changes limits of sandboxes, also of those that run. In: settings of [limits]; out: a config that
// says them, and a container that has them, or neither. The verb set-property calls it.
package limiting

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/editing"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/memoryfs"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/staleness"
	"github.com/virt-sandbox/virt-sandbox/internal/suggest"
	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

// section has the limits.
const section = "limits"

// limit is a key that a running container takes: a setting of its cgroup, or the size of a file system in memory.
type limit struct {
	key, setting string // of the config, and of the cgroup, or where the file system is
	value        func(config.Limits) string
	take         func(to *config.Limits, from config.Limits)
	size         func(*config.Limits) *config.Size // of the file system; nil for a setting
}

var limits = []limit{
	{"cpus", "CPUQuota", func(l config.Limits) string { return cgroup.CPUQuota(l.CPUs) },
		func(to *config.Limits, from config.Limits) { to.CPUs = from.CPUs }, nil},
	{"memory", "MemoryMax", func(l config.Limits) string { return atMost(uint64(l.Memory)) },
		func(to *config.Limits, from config.Limits) { to.Memory = from.Memory }, nil},
	{"pids", "TasksMax", func(l config.Limits) string { return atMost(uint64(l.PIDs)) },
		func(to *config.Limits, from config.Limits) { to.PIDs = from.PIDs }, nil},
	inMemory("run-size", "/run", func(l *config.Limits) *config.Size { return &l.Run }),
	inMemory("tmp-size", "/tmp", func(l *config.Limits) *config.Size { return &l.Tmp }),
	inMemory("shm-size", "/dev/shm", func(l *config.Limits) *config.Size { return &l.Shm }),
}

// inMemory is the size of a file system in memory.
func inMemory(key, path string, size func(*config.Limits) *config.Size) limit {
	return limit{key: key, setting: path, size: size,
		take: func(to *config.Limits, from config.Limits) { *size(to) = *size(&from) }}
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
		if value = strings.TrimSpace(value); value == "" {
			return Setting{key, ""}, nil
		}
		return Setting{key, value}, config.CheckValue(section, key, value)
	}
	if slices.ContainsFunc(config.New("").Entries(), func(e textmerge.Entry) bool {
		return e.Section == section && e.Key == key
	}) {
		return Setting{}, fmt.Errorf("%s= counts from the next start on: change it with edit, and restart the sandbox", key)
	}
	if meant := suggest.DidYouMean("%s=", key, Keys()); meant != "" {
		return Setting{}, fmt.Errorf("%s= is no limit%s", printable.Line(key), meant)
	}
	return Setting{}, fmt.Errorf("%s= is no limit that can be changed; those are %s", printable.Line(key),
		strings.Join(Keys(), ", "))
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
	return s.Editor.Apply(ctx)
}

// live has the container of a sandbox take limits. The note of how it was started follows those that its config will
// have, so that needs-restart asks for no restart.
func (s Setter) live(
	name string, now config.Limits, settings []Setting, untilStop bool,
) (undo func() error, err error) {
	up, err := s.find(name)
	if err != nil {
		return nothing, err
	}
	defer up.root.Close()
	started, err := up.run.Recorded()
	if err != nil {
		return nothing, err
	}
	before := *started
	var values []cgroup.Value
	var sizes []memoryfs.Size
	for _, l := range limits {
		if !slices.ContainsFunc(settings, func(one Setting) bool { return one.Key == l.key }) {
			continue
		}
		if l.size != nil {
			if isCovered(started, l.setting) {
				return nothing, fmt.Errorf("%s= does not count: the sandbox has a mount of its own at %s", l.key, l.setting)
			}
			sizes = append(sizes, memoryfs.Size{Path: l.setting, Bytes: uint64(*l.size(&now))})
		} else {
			values = append(values, cgroup.Value{Name: l.setting, Value: l.value(now)})
		}
		l.take(&started.Limits, now)
	}
	undo, err = up.change(name, values, sizes)
	if err != nil {
		return nothing, fmt.Errorf("%w; to have it count from the next start on, use edit", err)
	}
	if untilStop {
		return undo, nil
	}
	undoLimits := undo
	undo = func() error { return errors.Join(undoLimits(), up.run.Record(&before)) }
	if err := up.run.Record(started); err != nil {
		return nothing, errors.Join(err, undo())
	}
	return undo, nil
}

// isCovered reports whether a sandbox has a mount in the place of a file system.
func isCovered(s *config.Sandbox, path string) bool {
	return slices.ContainsFunc(s.Mounts, func(m config.Mount) bool { return m.Target == path })
}

// container is that of a sandbox which is up.
type container struct {
	run    places.RunDir
	init   int
	groups cgroup.Groups
	root   *os.File
}

// find returns the container of a sandbox. Errors: staleness.ErrNotRunning.
func (s Setter) find(name string) (*container, error) {
	run := places.Root(s.Root).Of(name).Run()
	state := run.State()
	if state.Phase != places.PhaseReady || state.Admission == nil {
		return nil, fmt.Errorf("%s %w", name, staleness.ErrNotRunning)
	}
	noted := state.Admission.Init
	groups, err := cgroup.Below(s.Root).Of(noted.PID)
	var root *os.File
	if err == nil {
		root, err = os.OpenFile(proc.Host.Root(noted.PID), unix.O_PATH|unix.O_CLOEXEC, 0)
	}
	// The number may be another's by now, whose groups and root these are.
	if init, gone := enter.ProcessOf(noted.PID); err != nil || gone != nil || init != noted {
		root.Close()
		return nil, fmt.Errorf("%s %w", name, staleness.ErrNotRunning)
	}
	return &container{run, noted.PID, groups, root}, nil
}

// change has the container take all of its new limits, or none.
func (c *container) change(name string, values []cgroup.Value, sizes []memoryfs.Size) (undo func() error, err error) {
	undoGroups, err := c.groups.Change(name, values)
	if err != nil || len(sizes) == 0 {
		return undoGroups, err
	}
	undoSizes, err := memoryfs.Container{Root: c.root, Init: c.init}.Resize(sizes)
	if err != nil {
		return nil, errors.Join(err, undoGroups())
	}
	return func() error { return errors.Join(undoSizes(), undoGroups()) }, nil
}

func nothing() error { return nil }
