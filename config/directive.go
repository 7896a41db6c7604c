// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/configtree"
	"github.com/virt-sandbox/virt-sandbox/internal/directive"
	"github.com/virt-sandbox/virt-sandbox/internal/dropin"
	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
	"github.com/virt-sandbox/virt-sandbox/internal/wellformed"
)

// Directive is a line for the unit that runs the container on the host (systemd.syntax(7)), or of those inside.
type Directive struct {
	Name, Value string
}

// Sections of a config whose keys are directives of systemd.
const (
	unitSection    = directive.Unit
	serviceSection = directive.Service
)

// IsVerbatim reports whether a section is one of those whose values have systemd's quoting and not ours.
func IsVerbatim(section string) bool { return section == unitSection || section == serviceSection }

// IsSecret reports whether what a section says may be secret.
func IsSecret(section string) bool { return section == environmentSection }

// checkDirective reports whether a line of [unit] or [service] can be there: it must stay one line, and not be refused.
func checkDirective(section string, d Directive) error {
	if !wellformed.IsDirective(d.Name) {
		return fmt.Errorf(msgDirective, d.Name)
	}
	if err := directive.Check(section, d.Name, d.Value); err != nil {
		return err
	}
	if textmerge.HasControl(d.Value, '\t') || strings.HasSuffix(d.Value, `\`) {
		return fmt.Errorf(msgDirectiveValue, d.Name)
	}
	return nil
}

// ServiceAt returns the directives of [service] that count at one place.
func (s *Sandbox) ServiceAt(place directive.Place) []Directive {
	return slices.DeleteFunc(slices.Clone(s.Service), func(d Directive) bool {
		return directive.PlaceOf(serviceSection, d.Name) != place
	})
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

// Said returns the lines that say what a sandbox is to be, those that count; of one that is not there, those that would
// add to its config. Errors: those of Find, and *SyntaxError.
func (s Store) Said(name string) ([]dropin.Said, error) {
	var files []configtree.File
	found, err := s.Find(name)
	if errors.Is(err, ErrNotFound) {
		files, err = s.dropIns(name)
	} else if err == nil {
		files = found.Files
	}
	if err != nil {
		return nil, err
	}
	all, err := sayings(name, s.IsRecord, files)
	return all.effective(), err
}
