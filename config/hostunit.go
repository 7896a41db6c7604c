// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// MaxHostUnit is the longest name of a container's unit. Names of its drop-in directory and temporary files are longer.
const MaxHostUnit = unitname.MaxLength - 20

// HostUnit returns the name of the unit that runs the container on the host: the first of its units as a template with
// the container as instance; virt-sandbox@NAME.service for a generic container.
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

// checkHostUnit reports whether systemd can have a unit for the container.
func (s *Sandbox) checkHostUnit() string {
	if unit := s.HostUnit(); len(unit) > MaxHostUnit {
		return fmt.Sprintf(msgHostUnit, unit, MaxHostUnit)
	}
	return ""
}
