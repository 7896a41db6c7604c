// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/virt-sandbox/virt-sandbox/internal/configtree"
	"github.com/virt-sandbox/virt-sandbox/internal/directive"
	"github.com/virt-sandbox/virt-sandbox/internal/specifier"
	"github.com/virt-sandbox/virt-sandbox/internal/suggest"
	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

// format is the list of fields, made once, with the place of each key in it.
type format struct {
	fields []field
	index  map[keyName]int
}

var theFormat = sync.OnceValue(func() format {
	f := format{fields(), make(map[keyName]int)}
	for i, field := range f.fields {
		f.index[keyName{Section: field.section, Key: field.key}] = i
	}
	return f
})

// reader reads one text.
type reader struct {
	format
	sandbox   *Sandbox
	name      string    // of the sandbox
	only      []keyName // that the text may have; nil for all
	literal   bool      // values have no specifiers
	said      *said     // takes what the text says, in the order of its lines; nil for nobody
	seen      []bool    // by field, in the file that is read
	named     []string  // variables that it names
	hasFormat bool      // whether any file has format=
	dropIn    bool      // the file adds to others
	resets    bool      // it forgets something that they say
	unknown   bool      // the section
	mistakes  textmerge.Mistakes
}

// LegacySection is the first section of a config of the original libvirt-sandbox, which package legacy reads.
const LegacySection = "api"

// LegacyError says what is to be done about a legacy config.
func LegacyError(name string) error { return fmt.Errorf(msgLegacy, name) }

func newReader(name string) *reader {
	r := &reader{format: theFormat(), sandbox: New(""), name: name}
	r.seen = make([]bool, len(r.fields))
	r.sandbox.Content = ""
	return r
}

// Parse reads the text of a config. file is what errors call it; the name in it must agree with the text's.
// Errors are of type *SyntaxError; they have all mistakes, up to a bound.
func Parse(file, text string) (*Sandbox, error) {
	s, err := parseFiles(NameOf(file), false, configtree.File{Path: file, Text: text})
	return s, err
}

// NameOf returns the name of the sandbox whose config is called so.
func NameOf(file string) string { return strings.TrimSuffix(path.Base(file), Suffix) }

// parseFiles reads a config and what adds to it. In a literal one, percent signs are no more than that.
func parseFiles(name string, literal bool, files ...configtree.File) (*Sandbox, error) {
	r := newReader(name)
	for _, file := range files {
		r.literal, r.dropIn, r.named = literal || isLiteral(file), file.IsDropIn, nil
		clear(r.seen)
		if err := r.read(file.Path, file.Text); err != nil && len(r.mistakes) == 0 {
			return nil, err
		}
		r.hasFormat = r.hasFormat || r.seen[r.index[keyName{Section: "sandbox", Key: "format"}]]
		if len(r.mistakes) == maxMistakes {
			break
		}
	}
	if err := r.mistakes.Err(); err != nil {
		return nil, err
	}
	if !r.resets {
		return r.finish(files[0].Path)
	}
	all, err := sayings(name, literal, files)
	if err != nil {
		return nil, err
	}
	return all.sandbox(name, files[0].Path)
}

// finish returns what was read.
func (r *reader) finish(file string) (*Sandbox, error) {
	if r.sandbox.Name == "" {
		if err := CheckName(r.name); err != nil {
			return nil, &SyntaxError{File: file, Message: err.Error()}
		}
		r.sandbox.Name = r.name
	}
	if message := r.sandbox.complete(r.hasFormat); message != "" {
		return nil, &SyntaxError{File: file, Message: message}
	}
	return r.sandbox, nil
}

// read reads all lines of a text.
func (r *reader) read(file, text string) error {
	err := eachLine(file, text, func(l line, err error) error {
		wrong := message(err)
		if err == nil {
			wrong = r.line(file, l)
		}
		if wrong != "" {
			r.mistakes = append(r.mistakes, &SyntaxError{File: file, Line: l.Number, Message: wrong})
		}
		if len(r.mistakes) == maxMistakes || wrong != "" && r.isForeign(l) {
			return r.mistakes.Err()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.mistakes.Err()
}

// line reads one line and returns what is wrong with it.
func (r *reader) line(file string, l line) string {
	switch l.Kind {
	case textmerge.Header:
		wrong := r.section(l.Section)
		r.unknown = wrong != ""
		if r.unknown && l.Section == LegacySection {
			return LegacyError(r.name).Error()
		}
		return wrong
	case textmerge.Setting:
		// What is below an unknown section has been told of with it.
		if !r.unknown {
			return r.setting(file, l)
		}
	}
	return ""
}

// isForeign reports whether a line that is wrong shows that the config is for another program, for which the rest is
// right.
func (r *reader) isForeign(l line) bool {
	return l.Section == LegacySection || l.Entry.Section == "sandbox" && l.Entry.Key == "format"
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
	names = append(names, free...)
	hint := cmp.Or(suggest.DidYouMean("[%s]", section, names), "; known are "+known(names))
	return fmt.Sprintf(msgUnknownSection, section, hint)
}

// setting reads a line that says something.
func (r *reader) setting(file string, l line) string {
	e := l.Entry
	if !r.literal && !IsVerbatim(e.Section) && strings.Contains(e.Value, "%") {
		var err error
		if e.Value, err = specifier.Of(r.name).Expand(e.Value, isAddressed(e)); err != nil {
			return message(err)
		}
	}
	resets := r.dropIn && isReset(l)
	if r.said != nil {
		r.said.add(file, l, e.Value)
	}
	if resets && r.isKnown(e) {
		r.resets = true
		return ""
	}
	return r.apply(e)
}

// isReset reports whether a line of a drop-in says nothing but that what was said before does not count. An empty
// variable is one, and systemd knows what empty directives are.
func isReset(l line) bool {
	return l.IsEmpty() && l.Section != environmentSection && !IsVerbatim(l.Section)
}

// isAddressed reports whether percent signs in a value stand before addresses.
func isAddressed(e entry) bool { return e.Section == "network" && e.Key == "interface" }

func (r *reader) isKnown(e entry) bool {
	_, known := r.index[keyName{Section: e.Section, Key: e.Key}]
	return known
}

func (r *reader) apply(e entry) string {
	if r.only != nil && !slices.Contains(r.only, keyName{Section: e.Section, Key: e.Key}) {
		return fmt.Sprintf(msgNotState, e.Key, e.Section)
	}
	if e.Section == environmentSection {
		return r.variable(Variable{e.Key, e.Value})
	}
	if directives := r.sandbox.directives(e.Section); directives != nil {
		d := Directive{e.Key, e.Value}
		*directives = append(*directives, d)
		return message(checkDirective(e.Section, d))
	}
	i, found := r.index[keyName{Section: e.Section, Key: e.Key}]
	if !found {
		return fmt.Sprintf(msgUnknownKey, e.Key, e.Section, r.hint(e))
	}
	if r.seen[i] && !r.fields[i].repeated {
		return fmt.Sprintf(msgTwice, e.Key, e.Section)
	}
	r.seen[i] = true
	err := r.fields[i].set(r.sandbox, e.Value)
	if err == nil && e.Key == "name" && e.Value != r.name {
		return fmt.Sprintf(msgNameDiffers, e.Value)
	}
	return message(err)
}

// hint is what may be meant by an unknown key: one of another section, one that is written alike, or any of its own.
func (r *reader) hint(e entry) string {
	var keys []string
	for _, f := range r.fields {
		if f.key == e.Key {
			return "; it belongs to [" + f.section + "]"
		}
		if f.section == e.Section {
			keys = append(keys, f.key)
		}
	}
	return cmp.Or(suggest.DidYouMean("%q", e.Key, keys), "; known are "+known(keys))
}

func (r *reader) variable(v Variable) string {
	if slices.Contains(r.named, v.Name) {
		return fmt.Sprintf(msgTwice, v.Name, environmentSection)
	}
	r.named = append(r.named, v.Name)
	// What another file says counts no more.
	r.sandbox.Environment = slices.DeleteFunc(r.sandbox.Environment, func(o Variable) bool { return o.Name == v.Name })
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
func (s *Sandbox) complete(hasFormat bool) string {
	switch {
	case !hasFormat:
		return fmt.Sprintf(msgMissing, "sandbox", "format")
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
	if s.Generic() && s.Health.Command != "" {
		return msgHealthCommand
	}
	if s.Store == StoreHost && s.Forward != ForwardAll {
		return msgStore
	}
	if inside := s.ServiceAt(directive.Inside); s.Generic() && len(inside) > 0 {
		return fmt.Sprintf(msgNotInside, inside[0].Name)
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
			lines = append(lines, EntryText(e))
		}
	}
	return lines
}

func (s *Sandbox) mergeInto(old []line) string {
	entries := s.entries()
	for i, e := range entries {
		entries[i] = escaped(e)
	}
	return textmerge.Merge(old, entries, EntryText)
}

// escaped returns a setting as a config has it, which does not mean specifiers.
func escaped(e entry) entry {
	if !IsVerbatim(e.Section) {
		e.Value = specifier.Escape(e.Value, isAddressed(e))
	}
	return e
}

func (s *Sandbox) entries() []entry {
	return s.entriesOf(func(f field) []string { return f.get(s) })
}

// Entries returns all settings of a description, those included that a config need not write.
func (s *Sandbox) Entries() []textmerge.Entry {
	return s.entriesOf(func(f field) []string {
		values := f.get(s)
		for _, usual := range []string{"no", "yes", string(NamesAuto)} {
			usually := *s
			if len(values) == 0 && !f.repeated && f.set(&usually, usual) == nil && len(f.get(&usually)) == 0 {
				return []string{usual}
			}
		}
		return values
	})
}

func (s *Sandbox) entriesOf(get func(field) []string) (entries []entry) {
	for _, f := range theFormat().fields {
		for _, value := range get(f) {
			entries = append(entries, entry{Section: f.section, Key: f.key, Value: value})
		}
	}
	for _, v := range s.Environment {
		entries = append(entries, entry{Section: environmentSection, Key: v.Name, Value: v.Value})
	}
	for _, section := range []string{unitSection, serviceSection} {
		for _, d := range *s.directives(section) {
			entries = append(entries, entry{Section: section, Key: d.Name, Value: d.Value})
		}
	}
	return entries
}
