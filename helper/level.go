package helper

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/mcs"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// levelUse is a level that somebody has.
type levelUse struct {
	level mcs.Level
	by    string // for a message, as in "sandbox web1"
}

// reserveLevel gives the sandbox a level that nobody has, and keeps it from other creates until the config tells of it. Of
// a level that it has already, shared is asked about a user that it would not be kept apart from. One of mode dynamic gets
// none before its start.
func (m *Manager) reserveLevel(ctx context.Context, s *config.Sandbox, shared func(levelUse) error) (*lockfile.Lock, error) {
	return m.reserveLevelBeside(ctx, s, m.domainLevels, shared)
}

// reserveLevelBeside is reserveLevel that is told what gives the levels of libvirt's domains.
func (m *Manager) reserveLevelBeside(ctx context.Context, s *config.Sandbox, domains func(except string) ([]levelUse, error),
	shared func(levelUse) error) (*lockfile.Lock, error) {
	if s.Security.Mode == config.SecurityDynamic {
		return new(lockfile.Lock), nil
	}
	allocation, err := m.locks().Allocate(ctx, "level allocation")
	if err != nil {
		return nil, err
	}
	defer allocation.Release()
	var uses []levelUse
	for _, level := range allocation.Levels() {
		uses = append(uses, levelUse{level, "a sandbox that is being created"})
	}
	configs, err := m.configLevels(s.Name)
	if err != nil {
		return nil, err
	}
	defined, err := domains(s.Name)
	if err != nil {
		return nil, err
	}
	uses = append(append(configs, defined...), uses...)
	level, err := levelOf(s)
	if err != nil {
		if level, err = m.allocateLevel(uses); err != nil {
			return nil, err
		}
		setLevel(s, level)
	} else if use := sharer(level, uses); use != nil {
		if err := shared(*use); err != nil {
			return nil, err
		}
	}
	return allocation.Level(level)
}

// chooseLevel gives a sandbox of mode dynamic a level that nobody else has, as if it had always had that. Where SELinux is off
// there is nothing to choose.
func (m *Manager) chooseLevel(ctx context.Context, s *config.Sandbox) (*lockfile.Lock, error) {
	if s.Security.Mode != config.SecurityDynamic {
		return new(lockfile.Lock), nil
	}
	s.Security.Mode = config.SecurityStatic
	if !m.Host.SELinux() {
		return new(lockfile.Lock), nil
	}
	clearLevel(s)
	held, err := m.reserveLevel(ctx, s, nil)
	if err != nil {
		return nil, err
	}
	if err := m.Host.CheckLabel(s.ProcessLabel()); err != nil {
		held.Release()
		return nil, err
	}
	return held, nil
}

// levelOf gives the level of a sandbox; an error where it has none yet.
func levelOf(s *config.Sandbox) (mcs.Level, error) {
	if s.Security.Mode == config.SecurityDynamic {
		return mcs.Level{}, errors.New("a level is chosen at each start")
	}
	if s.Security.Label != "" {
		return mcs.OfContext(s.Security.Label)
	}
	return mcs.Parse(s.Security.Level)
}

// setLevel gives a sandbox a level, also in the place for one in its label.
func setLevel(s *config.Sandbox, level mcs.Level) {
	s.Security.Level = level.String()
	if s.Security.Label != "" {
		s.Security.Label = withLevel(s.Security.Label, s.Security.Level)
	}
}

// clearLevel leaves a sandbox without a level, also in its label, until one is allocated.
func clearLevel(s *config.Sandbox) {
	s.Security.Level = ""
	if s.Security.Label != "" && s.Security.Mode == config.SecurityStatic {
		s.Security.Label = withLevel(s.Security.Label, "")
	}
}

// withLevel gives a context another level.
func withLevel(context, level string) string {
	part := strings.SplitN(context, ":", 4)
	return strings.Join(append(part[:3], level), ":")
}

// sharer finds who is not kept apart from a level; nil for nobody. One without categories is open to all by its own choice.
func sharer(level mcs.Level, uses []levelUse) *levelUse {
	for _, use := range uses {
		if level.Reaches(use.level) && (use.level.Count() > 0 || level.Count() == 0) {
			return &use
		}
	}
	return nil
}

func (m *Manager) allocateLevel(uses []levelUse) (mcs.Level, error) {
	policy, err := mcs.ReadPolicy(m.Host.Root)
	if err != nil {
		return mcs.Level{}, err
	}
	taken := policy.Named
	for _, use := range uses {
		taken = append(taken, use.level)
	}
	for _, level := range m.processLevels() {
		// One that has the whole range is not kept apart from anybody, and is the host's own.
		if !level.Dominates(policy.Range) {
			taken = append(taken, level)
		}
	}
	level, err := mcs.Allocate(policy.Range, taken)
	if err != nil {
		return mcs.Level{}, fmt.Errorf("%w in %s (%s); delete a sandbox, widen that range, or give a level with -l LEVEL --share-level",
			err, strings.TrimPrefix(policy.Range.String(), "s0:"), policy.Source)
	}
	return level, nil
}

// configLevels lists the levels of all sandboxes but one.
func (m *Manager) configLevels(except string) ([]levelUse, error) {
	names, err := m.Store.Names()
	if err != nil {
		return nil, err
	}
	var uses []levelUse
	for _, name := range names {
		if name == except {
			continue
		}
		other, err := m.Store.Load(name)
		if err != nil {
			m.Warn("cannot tell which level %s has: %v", name, err)
			continue
		}
		if level, err := levelOf(other); err == nil {
			uses = append(uses, levelUse{level, "sandbox " + name})
		}
	}
	return uses, nil
}

// domainLevels lists the levels of libvirt's domains but one, of running and of defined ones.
func (m *Manager) domainLevels(except string) ([]levelUse, error) {
	var uses []levelUse
	// Of hundreds of our own, libvirt need not write and we not read the long description.
	texts, err := m.domainTexts(func(d libvirt.Domain) bool {
		use := m.startedLevel(d)
		if use != nil && use.by != "libvirt domain "+except {
			uses = append(uses, *use)
		}
		return use != nil
	})
	if err != nil {
		return nil, err
	}
	for _, text := range texts {
		found, err := levelsOfDomain(text, except)
		if err != nil {
			return nil, err
		}
		uses = append(uses, found...)
	}
	return uses, nil
}

// startedLevel gives the level that a running sandbox was started with; nil for a domain that is none.
func (m *Manager) startedLevel(d libvirt.Domain) *levelUse {
	name, nameErr := d.GetName()
	uuid, uuidErr := d.GetUUIDString()
	if nameErr != nil || uuidErr != nil || config.CheckName(name) != nil {
		return nil
	}
	s, err := m.run(name).Recorded()
	if err != nil || s.UUID != uuid {
		return nil
	}
	level, err := levelOf(s)
	if err != nil {
		return nil
	}
	return &levelUse{level, "libvirt domain " + name}
}

// levelsOfDomain reads the levels in the XML of a domain; none of the one that is named except.
func levelsOfDomain(xml, except string) ([]levelUse, error) {
	var d libvirtxml.Domain
	if err := d.Unmarshal(xml); err != nil {
		return nil, fmt.Errorf("read libvirt's domains: %w", err)
	}
	if d.Name == except {
		return nil, nil
	}
	var uses []levelUse
	for _, label := range d.SecLabel {
		for _, context := range []string{label.Label, label.BaseLabel} {
			// The base of a dynamic label has no categories: they are added at the start.
			if level, err := mcs.OfContext(context); err == nil && (context == label.Label || level.Count() > 0) {
				uses = append(uses, levelUse{level, "libvirt domain " + d.Name})
			}
		}
	}
	return uses, nil
}

// processLevels lists the levels with categories of all processes: those of other managers' guests and containers too. None
// has one where SELinux is off, and a host of hundreds of containers has thousands of processes to look at.
func (m *Manager) processLevels() []mcs.Level {
	if !m.Host.SELinux() {
		return nil
	}
	processes := proc.Dir(m.Host.Root + string(proc.Host))
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
