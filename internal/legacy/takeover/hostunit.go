// SPDX-License-Identifier: Apache-2.0

package takeover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// Unit is a legacy unit file of a sandbox.
type Unit struct {
	Path    string
	Inner   []string // units that the container runs
	Enabled bool     // whether some unit of the host wants it
}

// Name returns the name of the unit.
func (u Unit) Name() string { return filepath.Base(u.Path) }

// HasDropIns reports whether an administrator added to the unit.
func (u Unit) HasDropIns() bool {
	_, err := os.Lstat(u.Path + ".d")
	return err == nil
}

// laterUnit is the name that later versions gave the unit file of a container.
func laterUnit(name string) string { return name + "_sandbox.service" }

// Units finds the legacy unit files of the sandbox: NAME_sandbox.service, or UNIT@NAME.service of earlier versions.
func (r Remains) Units() ([]Unit, error) {
	entries, err := os.ReadDir(r.Stubs.Dir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for units of the original: %w", err)
	}
	var found []Unit
	for _, e := range entries {
		name, err := unitname.Parse(e.Name())
		isInstance := err == nil && name.Instance() == r.Name && name.Type() == unitname.Service
		if !e.Type().IsRegular() || (!isInstance && e.Name() != laterUnit(r.Name)) {
			continue
		}
		u := Unit{Path: filepath.Join(r.Stubs.Dir(), e.Name())}
		text, err := os.ReadFile(u.Path)
		if err != nil {
			return nil, fmt.Errorf("look for units of the original: %w", err)
		}
		if !startsLegacy(string(text), r.Name) {
			continue
		}
		u.Inner = wordsOf(string(text), "ReloadPropagatedFrom")
		if len(u.Inner) == 0 && isInstance && name.Prefix() != "virt-sandbox" {
			u.Inner = []string{name.Prefix() + ".service"}
		}
		links, err := filepath.Glob(r.Stubs.Dir() + "/*.wants/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("look for units of the original: %w", err)
		}
		u.Enabled = len(links) > 0
		found = append(found, u)
	}
	return found, nil
}

// InnerUnits returns the units that a container runs, by the first of its legacy unit files that names any.
func InnerUnits(old []Unit) []string {
	for _, u := range old {
		if len(u.Inner) > 0 {
			return slices.Clone(u.Inner)
		}
	}
	return nil
}

// CheckUnit refuses a unit of the administrator's that has the name of the sandbox's; a legacy one of that name is
// going to be replaced.
func (r Remains) CheckUnit(s *config.Sandbox, old []Unit) error {
	if slices.ContainsFunc(old, func(u Unit) bool { return u.Name() == s.HostUnit() }) {
		return nil
	}
	return r.Stubs.Check(s)
}

// ReplaceUnit puts the stub in the place of a legacy unit file, which is kept, and enables what was enabled.
func (r Remains) ReplaceUnit(s *config.Sandbox, u Unit) error {
	if err := LinkBackup(u.Path); err != nil {
		return err
	}
	if err := r.CheckUnit(s, []Unit{u}); err != nil {
		return err
	}
	if err := r.Stubs.Replace(s); err != nil {
		return err
	}
	if u.Enabled {
		if err := r.Stubs.Enable(s); err != nil {
			return err
		}
	}
	if u.Name() == s.HostUnit() {
		return nil
	}
	if err := errors.Join(r.Stubs.Disable(u.Name()), moveToBackup(u.Path)); err != nil {
		return fmt.Errorf("remove the original's unit: %w", err)
	}
	return nil
}

// startsLegacy reports whether a unit file starts a container by a program of the original libvirt-sandbox.
func startsLegacy(text, name string) bool {
	words := wordsOf(text, "ExecStart")
	if len(words) == 0 || !slices.Contains(words, name) {
		return false
	}
	switch filepath.Base(words[0]) {
	case "virt-sandbox-service-util":
		return true
	case "virt-sandbox-service":
		// So could an administrator's unit that uses ours.
		return len(wordsOf(text, "ReloadPropagatedFrom")) > 0
	}
	return false
}

// wordsOf returns the words of a directive of a unit file.
func wordsOf(text, directive string) []string {
	var words []string
	for l := range strings.Lines(text) {
		if key, value, found := strings.Cut(l, "="); found && strings.TrimSpace(key) == directive {
			words = append(words, strings.Fields(value)...)
		}
	}
	return words
}
