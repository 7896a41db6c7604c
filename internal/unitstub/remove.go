// SPDX-License-Identifier: Apache-2.0

package unitstub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// Remove removes the stubs of a sandbox with all that enables or adds to them, and what a killed write of one left. A
// full unit that has the name stays: it is the administrator's.
func (f Files) Remove(name string) error {
	entries, err := os.ReadDir(f.Dir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove unit file: %w", err)
	}
	var listing []string
	for _, e := range entries {
		if isUnfinished(e, name) {
			if err := os.Remove(filepath.Join(f.Dir(), e.Name())); err != nil {
				return fmt.Errorf("remove unit file: %w", err)
			}
			continue
		}
		listing = append(listing, e.Name())
	}
	for _, unit := range units.FindStubs(f.Dir(), listing, name, f.Store.Path(name)) {
		if err := removeUnit(f.Dir(), unit); err != nil {
			return fmt.Errorf("remove unit file: %w", err)
		}
	}
	return nil
}

// isUnfinished reports whether a file is one that Replace was writing when it was killed.
func isUnfinished(e fs.DirEntry, name string) bool {
	file, isHidden := strings.CutPrefix(e.Name(), ".")
	full := strings.TrimRight(file, "0123456789")
	unit, err := unitname.Parse(full)
	return isHidden && full != file && err == nil && unit.Instance() == name && unit.Type() == unitname.Service &&
		e.Type().IsRegular()
}

// RemoveDropIns removes what systemctl edit and set-property added to the unit of a sandbox, unless a unit of the
// administrator's has the name.
func (f Files) RemoveDropIns(s *config.Sandbox) error {
	if _, err := os.Lstat(f.Path(s)); err == nil {
		return nil
	}
	for _, dir := range []string{f.Dir(), f.Root + units.ControlDir} {
		if err := removeUnit(dir, s.HostUnit()); err != nil {
			return fmt.Errorf("remove drop-ins: %w", err)
		}
	}
	return nil
}

// Disable removes the links that enable a unit, a sandbox's or not. Where there are none it does nothing.
func (f Files) Disable(unit string) error { return removeLinks(f.Dir(), unit) }

// removeUnit removes a unit as systemctl disable and a removal by hand would: the links that enable it, its drop-ins
// and its file. What is not there is no error.
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
