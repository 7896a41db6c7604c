package config

import (
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// MaxHostUnit is the longest name of the unit of a container. It leaves room for what names of its directory of drop-ins and
// of temporary files have beside it.
const MaxHostUnit = unitname.MaxLength - 20

// HostUnit gives the name of the unit that runs the container on the host: the first of its units as a template with the
// container as instance; virt-sandbox@NAME.service for a generic container.
func (s *Sandbox) HostUnit() string {
	prefix := "virt-sandbox"
	if len(s.Units) > 0 && !s.Generic() {
		prefix = s.Units[0]
		if unit, err := unitname.Parse(prefix); err == nil {
			prefix = unit.Prefix()
		}
	}
	return unitname.Instance(prefix, s.Name).String()
}

// checkHostUnit tells whether systemd can have a unit for the container.
func (s *Sandbox) checkHostUnit() string {
	if unit := s.HostUnit(); len(unit) > MaxHostUnit {
		return fmt.Sprintf(msgHostUnit, unit, MaxHostUnit)
	}
	return ""
}
