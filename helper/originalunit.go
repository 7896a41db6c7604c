package helper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// originalUnit is a unit file that the original libvirt-sandbox made for a container.
type originalUnit struct {
	name    string
	inner   []string // units that the container runs
	enabled bool
}

func (u originalUnit) file() string { return filepath.Join(units.Dir, u.name) }

func (u originalUnit) hasDropIns() bool {
	_, err := os.Lstat(u.file() + ".d")
	return err == nil
}

// originalUnits finds the unit files of the original for a container: NAME_sandbox.service, or UNIT@NAME.service before.
func originalUnits(name string) ([]originalUnit, error) {
	entries, err := os.ReadDir(units.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for units of the original: %w", err)
	}
	var found []originalUnit
	for _, e := range entries {
		prefix, isInstance := strings.CutSuffix(e.Name(), "@"+name+".service")
		if !e.Type().IsRegular() || (!isInstance && e.Name() != name+"_sandbox.service") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(units.Dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("look for units of the original: %w", err)
		}
		if !startsOriginal(string(text), name) {
			continue
		}
		u := originalUnit{name: e.Name(), inner: valuesOf(string(text), "ReloadPropagatedFrom")}
		if len(u.inner) == 0 && isInstance && prefix != "virt-sandbox" {
			u.inner = []string{prefix + ".service"}
		}
		links, err := filepath.Glob(units.Dir + "/*.wants/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("look for units of the original: %w", err)
		}
		u.enabled = len(links) > 0
		found = append(found, u)
	}
	return found, nil
}

// startsOriginal tells whether a unit file starts a container by a program of the original.
func startsOriginal(text, name string) bool {
	words := valuesOf(text, "ExecStart")
	if len(words) == 0 || !slices.Contains(words, name) {
		return false
	}
	switch filepath.Base(words[0]) {
	case "virt-sandbox-service-util":
		return true
	case "virt-sandbox-service":
		// So could an administrator's unit that uses ours.
		return len(valuesOf(text, "ReloadPropagatedFrom")) > 0
	}
	return false
}

// valuesOf gives the words of a directive of a unit file.
func valuesOf(text, directive string) []string {
	var words []string
	for l := range strings.Lines(text) {
		if key, value, found := strings.Cut(l, "="); found && strings.TrimSpace(key) == directive {
			words = append(words, strings.Fields(value)...)
		}
	}
	return words
}

// replaceUnit puts the short file in the place of a unit of the original's, which is kept, and enables what was enabled.
func (m *Manager) replaceUnit(s *config.Sandbox, u originalUnit) error {
	if err := keep(u.file()); err != nil {
		return err
	}
	if u.name != s.HostUnit() {
		if err := m.stubs().Check(s); err != nil {
			return err
		}
	}
	if err := m.stubs().Replace(s); err != nil {
		return err
	}
	if u.enabled {
		if err := m.stubs().Enable(s); err != nil {
			return err
		}
	}
	if u.name == s.HostUnit() {
		return nil
	}
	if err := errors.Join(m.stubs().Disable(u.name), putAway(u.file())); err != nil {
		return fmt.Errorf("remove the original's unit: %w", err)
	}
	return nil
}
