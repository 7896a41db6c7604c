package helper

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/legacy"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// keptSuffix is what the files of the original are kept with when ours take their places.
const keptSuffix = ".orig"

// migrate turns a config of the original libvirt-sandbox into ours, if the sandbox has one, and its content into ours. What
// else the original left is finishMigration's. All that can be refused is refused before anything is changed.
func (m *Manager) migrate(ctx context.Context, name string, options UpgradeOptions, result *Upgraded) (*config.Sandbox, error) {
	file, text, err := m.Store.ReadOriginal(name)
	if errors.Is(err, config.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	old, err := legacy.Parse(file, text)
	if err != nil {
		return nil, err
	}
	if old.Name != name {
		return nil, fmt.Errorf("%s: it is of %q; rename one of them", file, old.Name)
	}
	imported, err := old.Sandbox()
	if err != nil {
		return nil, err
	}
	s := imported.Sandbox
	if err := m.originalIsDown(s); err != nil {
		return nil, err
	}
	if err := m.planOriginal(ctx, s, options.Units); err != nil {
		return nil, err
	}
	result.Steps = append(result.Steps, fmt.Sprintf("config %s (the original's is %s)", m.Store.Path(name), file+keptSuffix))
	result.Notes = imported.Notes
	if options.DryRun {
		return s, nil
	}
	closed, err := m.openIfDown(ctx, s)
	if err != nil {
		return nil, err
	}
	defer closed()
	if err := m.Host.Adopt(s, imported.Tree); err != nil {
		return nil, explainFull(s, err)
	}
	if !s.Generic() {
		if s.Copy, err = m.Host.IsCopy(ctx, s); err != nil {
			return nil, err
		}
	}
	if err := keep(file); err != nil {
		return nil, err
	}
	s.Created = time.Now().UTC().Truncate(time.Second)
	if _, err := m.complete(ctx, s); err != nil {
		return nil, err
	}
	if err := syncContent(s); err != nil {
		return nil, err
	}
	return s, m.Store.Save(s)
}

// planOriginal finds the units of a config of the original and what is private to them beside what it lists.
func (m *Manager) planOriginal(ctx context.Context, s *config.Sandbox, named []string) error {
	if err := lookAtContent(s); err != nil {
		return fmt.Errorf("look at the content of %s: %w", s.Name, err)
	}
	if s.UUID == "" {
		id := uuid.New()
		s.UUID, s.MachineID = id.String(), strings.ReplaceAll(id.String(), "-", "")
	}
	old, err := originalUnits(s.Name)
	if err != nil {
		return err
	}
	if !s.Generic() {
		s.Units = named
		for _, u := range old {
			if len(s.Units) == 0 {
				s.Units = slices.Clone(u.inner)
			}
		}
		if len(s.Units) == 0 {
			return fmt.Errorf("cannot tell which units %s runs, since the original's unit file is gone; name them with -u, as %s/etc/systemd/system/multi-user.target.wants has them",
				s.Name, s.Content)
		}
	}
	listed := s.Private
	err = m.planContent(ctx, s)
	if errors.Is(err, content.ErrNoOwner) {
		m.Warn("no package owns the units of %s; package= in its config names those whose files are to follow their updates", s.Name)
		err = nil
	}
	if err != nil {
		return err
	}
	for _, p := range listed {
		if !slices.ContainsFunc(s.Private, func(other config.PrivatePath) bool { return isWithin(p.Path, other.Path) }) {
			s.Private = append(s.Private, p)
		}
	}
	if err := m.planNetwork(s); err != nil {
		return err
	}
	if slices.ContainsFunc(old, func(u originalUnit) bool { return u.name == s.HostUnit() }) {
		return nil
	}
	return m.stubs().Check(s)
}

// lookAtContent tells whether the content of a container of the original is there; a generic one need not have any.
func lookAtContent(s *config.Sandbox) error {
	if s.Image != "" {
		info, err := os.Stat(s.Image)
		if err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("image %s is not a regular file", s.Image)
		}
		return err
	}
	if s.Generic() {
		return nil
	}
	_, err := os.Stat(s.Content)
	return err
}

// keep gives a file a second name, unless an upgrade that was killed has done so.
func keep(file string) error {
	err := os.Link(file, file+keptSuffix)
	if errors.Is(err, fs.ErrExist) {
		own, ownErr := os.Stat(file)
		kept, keptErr := os.Stat(file + keptSuffix)
		if err = errors.Join(ownErr, keptErr); err == nil && !os.SameFile(own, kept) {
			err = fmt.Errorf("%s is there already; move it away", file+keptSuffix)
		}
	}
	if err != nil {
		return fmt.Errorf("keep the original's file: %w", err)
	}
	return nil
}

// putAway leaves a file only the name that keep gives it.
func putAway(file string) error {
	if err := keep(file); err != nil {
		return err
	}
	return os.Remove(file)
}

// removeKept removes the files of the original that an upgrade kept, and the directories that are empty without them.
func (m *Manager) removeKept(name string) error {
	later := m.Store.OriginalPath(name) + keptSuffix
	files := []string{m.Store.Path(name) + keptSuffix, later, filepath.Join(units.Dir, name+"_sandbox.service"+keptSuffix)}
	instances, err := filepath.Glob(units.Dir + "/*@" + name + ".service" + keptSuffix)
	if err != nil {
		return err
	}
	for _, file := range instances {
		if text, err := os.ReadFile(file); err == nil && startsOriginal(string(text), name) {
			files = append(files, file)
		}
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what was kept of the original: %w", err)
		}
	}
	for dir := filepath.Dir(later); dir != m.Store.Dir; dir = filepath.Dir(dir) {
		_ = os.Remove(dir) // The administrator may have files of their own there.
	}
	return nil
}

// finishMigration removes what the original left beside a config that is ours now, or will be after a dry run: its own
// config, its unit and its domain.
func (m *Manager) finishMigration(ctx context.Context, s *config.Sandbox, dryRun bool, result *Upgraded) error {
	if !dryRun {
		if err := content.Adopted(s); err != nil {
			return err
		}
	}
	file := m.Store.OriginalPath(s.Name)
	if _, err := os.Lstat(file); err == nil && !dryRun {
		if err := putAway(file); err != nil {
			return err
		}
	}
	old, err := originalUnits(s.Name)
	if err != nil {
		return err
	}
	for _, u := range old {
		result.Steps = append(result.Steps, fmt.Sprintf("unit %s (the original's is %s)", UnitFile(s), u.file()+keptSuffix))
		if u.hasDropIns() && u.name != s.HostUnit() {
			result.Notes = append(result.Notes, fmt.Sprintf("%s.d: what it adds to the original's unit; [unit] and [service] of %s take such lines", u.file(), m.Store.Path(s.Name)))
		}
		if dryRun {
			continue
		}
		if err := m.replaceUnit(s, u); err != nil {
			return err
		}
	}
	undefined, err := m.undefineOriginal(s, dryRun)
	if err != nil {
		return err
	}
	if undefined {
		result.Steps = append(result.Steps, "domain "+s.Name+" is no longer defined in libvirt; it is made at each start")
	}
	if dryRun || len(result.Steps) == 0 {
		return nil
	}
	return m.ReloadHost(ctx)
}

// wasOriginal tells whether a config of the original was kept.
func (m *Manager) wasOriginal(name string) bool {
	for _, file := range []string{m.Store.Path(name), m.Store.OriginalPath(name)} {
		if _, err := os.Lstat(file + keptSuffix); err == nil {
			return true
		}
	}
	return false
}
