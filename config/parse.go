// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// format is the list of fields, made once, with the place of each key in it.
type format struct {
	fields []field
	index  map[keyName]int
}

var theFormat = sync.OnceValue(func() format {
	f := format{fields(), make(map[keyName]int)}
	for i, field := range f.fields {
		f.index[keyName{field.section, field.key}] = i
	}
	return f
})

// reader reads one config.
type reader struct {
	format
	sandbox *Sandbox
	seen    []bool // by field
}

// LegacySection is the first section of a config of the original libvirt-sandbox, which package legacy reads.
const LegacySection = "api"

// LegacyError says what is to be done about a legacy config.
func LegacyError(name string) error { return fmt.Errorf(msgLegacy, name) }

// Parse reads the text of a config. file is what errors call it; the name in it must agree with the text's.
// Errors are of type *SyntaxError.
func Parse(file, text string) (*Sandbox, error) {
	r := reader{format: theFormat(), sandbox: New("")}
	r.seen = make([]bool, len(r.fields))
	r.sandbox.Content = ""
	err := eachLine(file, text, func(l line) error {
		message := ""
		switch l.kind {
		case lineHeader:
			if message = r.section(l.section); message != "" && l.section == LegacySection {
				message = LegacyError(strings.TrimSuffix(filepath.Base(file), Suffix)).Error()
			}
		case lineEntry:
			message = r.apply(l.entry)
		}
		if message != "" {
			return &SyntaxError{File: file, Line: l.number, Message: message}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	hasFormat := r.seen[r.index[keyName{"sandbox", "format"}]]
	if message := r.sandbox.complete(strings.TrimSuffix(filepath.Base(file), Suffix), hasFormat); message != "" {
		return nil, &SyntaxError{File: file, Message: message}
	}
	return r.sandbox, nil
}

func (r *reader) section(section string) string {
	free := []string{environmentSection, unitSection, serviceSection}
	isKnown := func(f field) bool { return f.section == section }
	if slices.ContainsFunc(r.fields, isKnown) || slices.Contains(free, section) {
		return ""
	}
	var names []string
	for _, f := range r.fields {
		names = append(names, f.section)
	}
	return fmt.Sprintf(msgUnknownSection, section, known(append(names, free...)))
}

func (r *reader) apply(e entry) string {
	if e.section == environmentSection {
		return r.variable(Variable{e.key, e.value})
	}
	if directives := r.sandbox.directives(e.section); directives != nil {
		d := Directive{e.key, e.value}
		*directives = append(*directives, d)
		return message(CheckDirective(d))
	}
	i, found := r.index[keyName{e.section, e.key}]
	if !found {
		var keys []string
		for _, f := range r.fields {
			if f.section == e.section {
				keys = append(keys, f.key)
			}
		}
		return fmt.Sprintf(msgUnknownKey, e.key, e.section, known(keys))
	}
	if r.seen[i] && !r.fields[i].repeated {
		return fmt.Sprintf(msgTwice, e.key, e.section)
	}
	r.seen[i] = true
	return message(r.fields[i].set(r.sandbox, e.value))
}

func (r *reader) variable(v Variable) string {
	if slices.ContainsFunc(r.sandbox.Environment, func(other Variable) bool { return other.Name == v.Name }) {
		return fmt.Sprintf(msgTwice, v.Name, environmentSection)
	}
	r.sandbox.Environment = append(r.sandbox.Environment, v)
	return message(CheckVariable(v.Name))
}

// message is what an error says; "" for none.
func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// complete checks what no single line can be blamed for and fills in what follows from the rest.
func (s *Sandbox) complete(fileName string, hasFormat bool) string {
	switch {
	case !hasFormat:
		return fmt.Sprintf(msgMissing, "sandbox", "format")
	case s.Name == "":
		return fmt.Sprintf(msgMissing, "sandbox", "name")
	case s.Name != fileName:
		return fmt.Sprintf(msgNameDiffers, s.Name)
	case len(s.Units) > 0 && len(s.Command) > 0:
		return msgUnitsAndCommand
	case len(s.Units) == 0 && len(s.Command) == 0:
		return msgNothingToRun
	}
	if message := s.checkHostUnit(); message != "" {
		return message
	}
	if err := CheckInterfaces(s.Network, s.Interfaces); err != nil {
		return err.Error()
	}
	if s.Security.HasLabel() {
		s.Security.SetLabel(s.Security.Label)
	}
	if s.Content == "" {
		s.Content = DefaultContentBase + "/" + s.Name
	}
	if s.Image != "" && s.ImageFormat == "" {
		s.ImageFormat = FormatOf(s.Image)
	}
	// The order in which they are written; between the kinds it means nothing.
	slices.SortStableFunc(s.Mounts, func(a, b Mount) int { return strings.Compare(string(a.Kind), string(b.Kind)) })
	return message(s.CheckStorage())
}

// Text returns the config as a file, without a person's comments.
func (s *Sandbox) Text() string { return s.mergeInto(nil) }

// LinesNotIn lists the entries of a config that another does not have in the same section, as lines.
func (s *Sandbox) LinesNotIn(other *Sandbox) (lines []string) {
	theirs := other.entries()
	for _, e := range s.entries() {
		if !slices.Contains(theirs, e) {
			lines = append(lines, e.text())
		}
	}
	return lines
}

func (s *Sandbox) mergeInto(old []line) string { return merge(old, s.entries()) }

func (s *Sandbox) entries() (entries []entry) {
	for _, f := range theFormat().fields {
		for _, value := range f.get(s) {
			entries = append(entries, entry{f.section, f.key, value})
		}
	}
	for _, v := range s.Environment {
		entries = append(entries, entry{environmentSection, v.Name, v.Value})
	}
	for _, section := range []string{unitSection, serviceSection} {
		for _, d := range *s.directives(section) {
			entries = append(entries, entry{section, d.Name, d.Value})
		}
	}
	return entries
}
