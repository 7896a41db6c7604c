// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/mcs"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// CloneOptions are what an administrator asks of clone.
type CloneOptions struct {
	Source, Name string
	Level        string          // MCS level; empty: one is allocated
	Security     config.Security // the zero value: that of the source with another level
	Share        bool            // whether the level may be one that others reach
	Base         string          // directory whose subdirectory Name becomes the content; empty: that of the source
	Freeze       bool            // whether a source that is up is halted for as long as the copy takes
}

// Clone describes the clone of a sandbox. What the administrator wrote into the config stays as it is.
func Clone(source *config.Sandbox, o CloneOptions) (*config.Sandbox, error) {
	s := *source
	s.Name = o.Name
	Identify(&s)
	base := o.Base
	if base == "" {
		base = filepath.Dir(source.Content)
	}
	if err := placeContent(&s, base); err != nil {
		return nil, err
	}
	if s.Hardening.IDMap.Mapped() {
		s.Hardening.IDMap = config.IDMap{Auto: true}
	}
	renameUnits(&s, source)
	forgetMACs(&s)
	if err := ownImage(&s, source, filepath.Dir(source.Image)); err != nil {
		return nil, err
	}
	return &s, giveSecurity(
		&s,
		Options{Level: o.Level, Security: o.Security, Share: o.Share, FileType: s.Security.FileType},
	)
}

// SharedBy tells what a clone has that only one of it and its source can have while it runs.
func SharedBy(s, source *config.Sandbox) (warnings []string) {
	for _, i := range s.Interfaces {
		for _, a := range i.Addresses {
			warnings = append(
				warnings,
				fmt.Sprintf("%s has the address %s of %s; give it another one before both run", s.Name, a.Addr(), source.Name),
			)
		}
	}
	for _, f := range s.ImageFiles() {
		// Its own image is a copy.
		if f.Path != s.Image {
			warnings = append(warnings, fmt.Sprintf("%s has %s of %s as %s, and not a copy; give it another one before both run",
				s.Name, f.Path, source.Name, f.Use))
		}
	}
	return warnings
}

// renameUnits makes the instances of templates that were named after the source those of the new sandbox.
func renameUnits(s, source *config.Sandbox) {
	s.Units, s.Private = slices.Clone(s.Units), slices.Clone(s.Private)
	for i, name := range s.Units {
		if unit, err := unitname.Parse(name); err == nil && unit.Instance() == source.Name {
			s.Units[i] = unit.Instantiate(s.Name).String()
		}
	}
	units := content.RenamedUnits(source, s)
	for i, p := range s.Private {
		s.Private[i].Origin = units.Origin(p.Origin)
	}
}

// giveSecurity gives a copy of another's description a label by options: without Security the other's, and without
// Level too a level that is still to be allocated.
func giveSecurity(s *config.Sandbox, o Options) error {
	s.Security.Level = ""
	// One that cannot be parsed is refused below.
	if level, err := mcs.Parse(o.Level); err == nil && o.Security.Mode == "" {
		s.Security.Level = level.String()
	}
	return OptionErrorOf(setSecurity(s, o))
}

// forgetMACs has the copy of a sandbox get addresses of its own.
func forgetMACs(s *config.Sandbox) {
	s.Interfaces = slices.Clone(s.Interfaces)
	for n := range s.Interfaces {
		s.Interfaces[n].MAC = ""
	}
}
