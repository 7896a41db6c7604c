package helper

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// UnitFile is where the stub unit file of a sandbox lies.
func UnitFile(s *config.Sandbox) string { return filepath.Join(units.Dir, s.HostUnit()) }

// checkUnitFile refuses a unit of the administrator's that has the name which a sandbox's would have.
func (m *Manager) checkUnitFile(s *config.Sandbox) error {
	text, err := os.ReadFile(UnitFile(s))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look for a unit of the name: %w", err)
	case !units.IsStub(text, m.Store.Path(s.Name)):
		return fmt.Errorf("%s exists and is not of virt-sandbox; choose another name or move it away", UnitFile(s))
	}
	return nil
}

// writeUnitFile writes the file that makes systemctl enable work.
func (m *Manager) writeUnitFile(s *config.Sandbox) error {
	if err := m.checkUnitFile(s); err != nil {
		return err
	}
	return m.putUnitFile(s)
}

// putUnitFile is writeUnitFile in the place of whatever has the name.
func (m *Manager) putUnitFile(s *config.Sandbox) error {
	if err := os.MkdirAll(units.Dir, 0o755); err != nil {
		return fmt.Errorf("write unit file: %w", err)
	}
	text := units.Stub(s, units.Paths{Config: m.Store.Path(s.Name)})
	if err := renameio.WriteFile(UnitFile(s), text, 0o644, renameio.WithTempDir(units.Dir), renameio.IgnoreUmask()); err != nil {
		return fmt.Errorf("write unit file: %w", err)
	}
	return nil
}

// removeUnitFiles removes the stubs of a sandbox with all that enables or adds to them, and what a killed write of one
// left. A full unit that has the name stays: it is the administrator's.
func (m *Manager) removeUnitFiles(name string) error {
	entries, err := os.ReadDir(units.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove unit file: %w", err)
	}
	var listing []string
	for _, e := range entries {
		if isUnfinished(e, name) {
			if err := os.Remove(filepath.Join(units.Dir, e.Name())); err != nil {
				return fmt.Errorf("remove unit file: %w", err)
			}
			continue
		}
		listing = append(listing, e.Name())
	}
	for _, unit := range units.FindStubs(units.Dir, listing, name, m.Store.Path(name)) {
		if err := removeUnit(units.Dir, unit); err != nil {
			return fmt.Errorf("remove unit file: %w", err)
		}
	}
	return nil
}

// isUnfinished tells of a file that putUnitFile gives its name when it is complete.
func isUnfinished(e fs.DirEntry, name string) bool {
	unit, digits, found := strings.Cut(e.Name(), "@"+name+".service")
	return found && strings.HasPrefix(unit, ".") && digits != "" && strings.Trim(digits, "0123456789") == "" && e.Type().IsRegular()
}

// removeDropIns removes what systemctl edit and set-property added to the unit of a sandbox, unless a unit of the
// administrator's has the name.
func (m *Manager) removeDropIns(s *config.Sandbox) error {
	if _, err := os.Lstat(UnitFile(s)); err == nil {
		return nil
	}
	for _, dir := range []string{units.Dir, units.ControlDir} {
		if err := removeUnit(dir, s.HostUnit()); err != nil {
			return fmt.Errorf("remove drop-ins: %w", err)
		}
	}
	return nil
}

// WriteUnitFile gives a sandbox the stub unit file that create would have made, for a config that came another way or has
// come to name another first unit. It returns the unit's name.
func (m *Manager) WriteUnitFile(ctx context.Context, name string) (string, error) {
	lock, err := m.lockName(ctx, name)
	if err != nil {
		return "", err
	}
	defer lock.Release()
	s, err := m.Store.Load(name)
	if err != nil {
		return "", err
	}
	if s.State == config.StateDeleting {
		return "", fmt.Errorf("%s is being deleted; run delete again to finish that", name)
	}
	if text, err := os.ReadFile(UnitFile(s)); err == nil && units.IsOf(text, m.Store.Path(name)) {
		// It may have been edited, or be a full unit that systemctl edit --full made.
		return s.HostUnit(), nil
	}
	if err := m.checkUnitFile(s); err != nil {
		return "", err
	}
	if err := m.removeUnitFiles(name); err != nil {
		return "", err
	}
	return s.HostUnit(), m.writeUnitFile(s)
}

// removeUnit removes a unit of the administrator's directory as systemctl disable and a removal by hand would: the links that
// enable it, its drop-ins and its file. What is not there is no error.
func removeUnit(dir, unit string) error {
	if err := removeLinks(dir, unit); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(dir, unit+".d")); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, unit)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeLinks removes the links that enable a unit.
func removeLinks(dir, unit string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".wants") && !strings.HasSuffix(e.Name(), ".requires") {
			continue
		}
		link := filepath.Join(dir, e.Name(), unit)
		if _, err := os.Readlink(link); err != nil {
			continue
		}
		if err := os.Remove(link); err != nil {
			return err
		}
		// systemctl leaves no empty directory either.
		_ = os.Remove(filepath.Join(dir, e.Name()))
	}
	return nil
}
