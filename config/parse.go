package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Parse reads the text of a config. file is what errors call it; the name in it must agree with the text's.
// Errors are of type *SyntaxError.
func Parse(file, text string) (*Sandbox, error) {
	lines, err := parseLines(file, text)
	if err != nil {
		return nil, err
	}
	all := fields()
	sandbox := New("")
	sandbox.Content = ""
	seen := make(map[string]int)
	for _, l := range lines {
		message := ""
		switch {
		case l.header:
			message = checkSection(all, l.section)
		case l.entry != nil:
			message = apply(all, sandbox, *l.entry, seen)
		}
		if message != "" {
			return nil, &SyntaxError{File: file, Line: l.number, Message: message}
		}
	}
	if message := sandbox.complete(strings.TrimSuffix(filepath.Base(file), Suffix), seen); message != "" {
		return nil, &SyntaxError{File: file, Message: message}
	}
	return sandbox, nil
}

func checkSection(all []field, section string) string {
	var names []string
	for _, f := range all {
		if f.section == section {
			return ""
		}
		names = append(names, f.section)
	}
	if section == environmentSection {
		return ""
	}
	return fmt.Sprintf(msgUnknownSection, section, known(append(names, environmentSection)))
}

func apply(all []field, sandbox *Sandbox, e entry, seen map[string]int) string {
	id := e.section + "." + e.key
	seen[id]++
	if e.section == environmentSection {
		if seen[id] > 1 {
			return fmt.Sprintf(msgTwice, e.key, e.section)
		}
		sandbox.Environment = append(sandbox.Environment, Variable{e.key, e.value})
		if err := match(variableForm, e.key, msgVariable); err != nil {
			return err.Error()
		}
		return ""
	}
	var keys []string
	for _, f := range all {
		if f.section != e.section {
			continue
		}
		keys = append(keys, f.key)
		if f.key != e.key {
			continue
		}
		if seen[id] > 1 && !f.repeated {
			return fmt.Sprintf(msgTwice, e.key, e.section)
		}
		if err := f.set(sandbox, e.value); err != nil {
			return err.Error()
		}
		return ""
	}
	return fmt.Sprintf(msgUnknownKey, e.key, e.section, known(keys))
}

// complete checks what no single line can be blamed for and fills in what follows from the rest.
func (s *Sandbox) complete(fileName string, seen map[string]int) string {
	switch {
	case seen["sandbox.format"] == 0:
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
	if s.Content == "" {
		s.Content = DefaultContentBase + "/" + s.Name
	}
	// The order in which they are written; between the kinds it means nothing.
	slices.SortStableFunc(s.Mounts, func(a, b Mount) int { return strings.Compare(string(a.Kind), string(b.Kind)) })
	return ""
}

// Text gives the config as a file, without a person's comments.
func (s *Sandbox) Text() string { return s.mergeInto(nil) }

func (s *Sandbox) mergeInto(old []line) string {
	var entries []entry
	for _, f := range fields() {
		for _, value := range f.get(s) {
			entries = append(entries, entry{f.section, f.key, value})
		}
	}
	for _, v := range s.Environment {
		entries = append(entries, entry{environmentSection, v.Name, v.Value})
	}
	return merge(old, entries)
}
