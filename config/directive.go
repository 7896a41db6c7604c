// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
	"github.com/virt-sandbox/virt-sandbox/internal/wellformed"
)

// Directive is a line for the unit that runs the container on the host (systemd.syntax(7)).
type Directive struct {
	Name, Value string
}

// Sections of a config whose keys are directives of systemd, passed on to the host's unit.
const (
	unitSection    = "unit"
	serviceSection = "service"
)

// IsVerbatim reports whether a section is one of those whose values have systemd's quoting and not ours.
func IsVerbatim(section string) bool { return section == unitSection || section == serviceSection }

// IsSecret reports whether what a section says may be secret.
func IsSecret(section string) bool { return section == environmentSection }

// ownDirectives are those that the generated unit stands on.
func ownDirectives() []string {
	return []string{
		"SourcePath", "Type", "ExecStart", "ExecStop", "ExecReload", "NotifyAccess", "KillMode", "PIDFile", "BusName",
		"RemainAfterExit", "User", "DynamicUser", "RootDirectory", "RootImage", "WatchdogSec",
	}
}

// CheckDirective reports whether a line of [unit] or [service] can be passed on: it must stay one line, and leave alone
// what the unit stands on.
func CheckDirective(d Directive) error {
	if !wellformed.IsDirective(d.Name) {
		return fmt.Errorf(msgDirective, d.Name)
	}
	if slices.Contains(ownDirectives(), d.Name) {
		return fmt.Errorf(msgOwnDirective, d.Name)
	}
	if textmerge.HasControl(d.Value, '\t') || strings.HasSuffix(d.Value, `\`) {
		return fmt.Errorf(msgDirectiveValue, d.Name)
	}
	return nil
}

// directives returns the list of a section of directives; nil for any other section.
func (s *Sandbox) directives(section string) *[]Directive {
	switch section {
	case unitSection:
		return &s.Unit
	case serviceSection:
		return &s.Service
	}
	return nil
}
