// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"context"
	"errors"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/mcs"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// Use is a level that somebody has.
type Use struct {
	Level mcs.Level
	By    string // for a message, as in "sandbox web1"
}

// ReserveLevel returns the sandbox a level that nobody has, and keeps it from other creates until the config names it.
// For a level that the sandbox has already, shared is asked about one that it overlaps. A sandbox of mode dynamic gets
// none before its start.
func (b *Book) ReserveLevel(ctx context.Context, s *config.Sandbox, shared func(Use) error) (*lockfile.Lock, error) {
	if s.Security.Mode == config.SecurityDynamic {
		return new(lockfile.Lock), nil
	}
	allocation, err := b.Locks.Allocate(ctx, "level allocation")
	if err != nil {
		return nil, err
	}
	defer allocation.Release()
	var uses []Use
	for _, level := range allocation.Levels() {
		uses = append(uses, Use{level, "a sandbox that is being created"})
	}
	configs, err := b.configLevels(s.Name)
	if err != nil {
		return nil, err
	}
	defined, err := b.Domains(s.Name)
	if err != nil {
		return nil, err
	}
	uses = append(append(configs, defined...), uses...)
	level, err := LevelOf(s)
	if err != nil {
		if level, err = b.allocateLevel(uses); err != nil {
			return nil, err
		}
		s.Security.Level = level.String()
	} else if use := findConflict(level, uses); use != nil {
		if err := shared(*use); err != nil {
			return nil, err
		}
	}
	return allocation.Level(level)
}

// ReserveFreeLevel is ReserveLevel for a sandbox whose level comes from elsewhere: where that overlaps another's, a
// free one takes its place.
func (b *Book) ReserveFreeLevel(ctx context.Context, s *config.Sandbox) (*lockfile.Lock, error) {
	errShared := errors.New("the level is another's too")
	var other Use
	reservation, err := b.ReserveLevel(ctx, s, func(use Use) error {
		other = use
		return errShared
	})
	if !errors.Is(err, errShared) {
		return reservation, err
	}
	was := s.Security.Level
	s.Security.Level = ""
	if reservation, err = b.ReserveLevel(ctx, s, nil); err != nil {
		return nil, err
	}
	b.Warn("level %s is not kept apart from %s, which %s has; %s gets %s in its place",
		was, other.Level, other.By, s.Name, s.Security.Level)
	return reservation, nil
}

// ChooseLevel gives a sandbox of mode dynamic a level that nobody else has, as if it had always had that. Where SELinux
// is off there is nothing to choose.
func (b *Book) ChooseLevel(ctx context.Context, s *config.Sandbox) (*lockfile.Lock, error) {
	if s.Security.Mode != config.SecurityDynamic {
		return new(lockfile.Lock), nil
	}
	s.Security.Mode = config.SecurityStatic
	if !b.Host.SELinux() {
		return new(lockfile.Lock), nil
	}
	s.Security.Level = ""
	held, err := b.ReserveLevel(ctx, s, nil)
	if err != nil {
		return nil, err
	}
	if err := b.Host.CheckLabel(s.ProcessLabel()); err != nil {
		held.Release()
		return nil, err
	}
	return held, nil
}

// LevelOf returns the level of a sandbox; an error where it has none yet.
func LevelOf(s *config.Sandbox) (mcs.Level, error) {
	if s.Security.Mode == config.SecurityDynamic {
		return mcs.Level{}, errors.New("a level is chosen at each start")
	}
	return mcs.Parse(s.Security.Level)
}

// findConflict returns a use that is not kept apart from a level; nil for none. A level without categories is open to
// all by its owner's choice.
func findConflict(level mcs.Level, uses []Use) *Use {
	for _, use := range uses {
		if level.Comparable(use.Level) && (use.Level.Count() > 0 || level.Count() == 0) {
			return &use
		}
	}
	return nil
}

func (b *Book) allocateLevel(uses []Use) (mcs.Level, error) {
	policy, err := mcs.ReadPolicy(b.Root)
	if err != nil {
		return mcs.Level{}, err
	}
	taken := policy.Named
	for _, use := range uses {
		taken = append(taken, use.Level)
	}
	for _, level := range b.processLevels() {
		// One that has the whole range is not kept apart from anybody, and is the host's own.
		if !level.Dominates(policy.Range) {
			taken = append(taken, level)
		}
	}
	level, err := mcs.Allocate(policy.Range, taken)
	if err != nil {
		return mcs.Level{}, field.Errorf("%w in %s (%s); delete a sandbox, widen that range, or give a "+
			"level with %s LEVEL %s", err, strings.TrimPrefix(policy.Range.String(),
			"s0:"), policy.Source, field.Level, field.Share)
	}
	return level, nil
}

// configLevels lists the levels of all sandboxes but one.
func (b *Book) configLevels(except string) ([]Use, error) {
	names, err := b.Configs.Names()
	if err != nil {
		return nil, err
	}
	var uses []Use
	for _, name := range names {
		if name == except {
			continue
		}
		other, err := b.Configs.Known(name)
		if err != nil {
			b.Warn("cannot tell which level %s has: %v", name, err)
			continue
		}
		if level, err := LevelOf(other); err == nil {
			uses = append(uses, Use{level, "sandbox " + name})
		}
	}
	return uses, nil
}

// processLevels lists the levels with categories of all processes, also of guests and containers that others manage.
// None has one where SELinux is off, and a host of hundreds of containers has thousands of processes to look at.
func (b *Book) processLevels() []mcs.Level {
	if !b.Host.SELinux() {
		return nil
	}
	processes := proc.Dir(b.Root + string(proc.Host))
	pids, err := processes.PIDs()
	if err != nil {
		return nil
	}
	seen := make(map[mcs.Level]bool)
	var levels []mcs.Level
	for _, pid := range pids {
		// Of a process that has ended there is nothing to read.
		context, err := processes.Attribute(pid, "current")
		if err != nil {
			continue
		}
		level, err := mcs.OfContext(context)
		if err == nil && level.Count() > 0 && !seen[level] {
			seen[level] = true
			levels = append(levels, level)
		}
	}
	return levels
}
