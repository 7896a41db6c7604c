package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// maxHostUnit is the longest name of the unit of a container. It leaves room for what names of its directory of drop-ins and
// of temporary files have beside it.
const maxHostUnit = unitname.MaxLength - 20

// HostUnit gives the name of the unit that runs the container on the host: the first of its units as a template with the
// container as instance; virt-sandbox@NAME.service for a generic container.
func (s *Sandbox) HostUnit() string {
	if s.Generic() || len(s.Units) == 0 {
		return hostUnit("", s.Name)
	}
	return hostUnit(s.Units[0], s.Name)
}

// hostUnit is HostUnit for the first unit of a container; "" for one that has none.
func hostUnit(first, name string) string {
	if first == "" {
		return unitname.Instance("virt-sandbox", name).String()
	}
	prefix := first
	if unit, err := unitname.Parse(first); err == nil {
		prefix = unit.Prefix()
	}
	return unitname.Instance(prefix, name).String()
}

// GuessHostUnit gives the name of the host's unit that a config which cannot be parsed would have had: "" where its text
// does not tell. file is the config's; the name of the sandbox is taken from it.
func GuessHostUnit(file, text string) string {
	name := strings.TrimSuffix(filepath.Base(file), Suffix)
	if CheckName(name) != nil || len(text) > maxConfigSize {
		return ""
	}
	section, isGeneric := "", false
	for l := range strings.Lines(text) {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "[") && strings.HasSuffix(l, "]") {
			section = l[1 : len(l)-1]
			continue
		}
		key, value, found := strings.Cut(l, "=")
		if !found {
			continue
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case section == "sandbox" && key == "unit" && CheckUnit(value) == nil:
			return usable(hostUnit(value, name))
		case section == "command" && key == "argument":
			isGeneric = true
		}
	}
	if isGeneric {
		return hostUnit("", name)
	}
	return ""
}

func usable(unit string) string {
	if len(unit) > maxHostUnit {
		return ""
	}
	return unit
}

// checkHostUnit tells whether systemd can have a unit for the container.
func (s *Sandbox) checkHostUnit() string {
	if unit := s.HostUnit(); usable(unit) == "" {
		return fmt.Sprintf(msgHostUnit, unit, maxHostUnit)
	}
	return ""
}
