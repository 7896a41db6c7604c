// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"slices"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/dropin"
	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

// Who says a setting.
const (
	SourceConfig    = "config"
	SourceAllocated = "allocated" // found or allocated, and kept in the state
	SourceBoth      = "config and allocated"
	SourceDefault   = "default"
)

// Setting is one of a sandbox's description, and where it comes from.
type Setting struct {
	Section string `json:"section"`
	Key     string `json:"key"`
	Value   string `json:"value"`
	Source  string `json:"source"`
	File    string `json:"file,omitempty"` // of a default, none
	Line    int    `json:"line,omitempty"` // from 1
}

// key is one of a section.
type key struct{ section, key string }

// Settings returns the description of a sandbox, with all that its config and drop-ins do not say. Errors:
// config.ErrNotFound, *config.MaskedError, *config.SyntaxError, or of reading.
func Settings(store config.Store, name string) ([]Setting, error) {
	wish, lines, err := store.Wish(name)
	if err != nil {
		return nil, err
	}
	whole, err := store.Complete(wish)
	if err != nil {
		return nil, err
	}
	state, err := store.States.Read(name)
	if err != nil {
		return nil, err
	}
	return describe(whole, saidBy(wish, lines), foundIn(store.States.Path(name), state)), nil
}

// describe tells of each setting of a description who says it.
func describe(whole *config.Sandbox, said, found source) (settings []Setting) {
	seen := make(map[key]int)
	for _, e := range whole.Entries() {
		setting := Setting{Section: e.Section, Key: e.Key, Value: e.Value, Source: SourceDefault}
		k := key{e.Section, e.Key}
		switch {
		case said.has(&setting, k):
			setting.Source = SourceConfig
		case k == key{"network", "interface"} && seen[k] < len(said.lines[k]):
			setting.Source = SourceBoth
			setting.at(said.lines[k][seen[k]])
		case k == key{"security", "level"} && whole.Security.HasLabel() && len(said.lines[key{"security", "label"}]) > 0:
			setting.Source = SourceConfig
			setting.at(said.lines[key{"security", "label"}][0])
		case found.has(&setting, k):
			setting.Source = SourceAllocated
		}
		seen[k]++
		settings = append(settings, setting)
	}
	return settings
}

// source is files that say settings.
type source struct {
	values map[key][]string // in the order of the lines
	lines  map[key][]place
}

// place is a line of a file.
type place struct {
	file string
	line int
}

func (s *Setting) at(p place) { s.File, s.Line = p.file, p.line }

// has finds the line that says a setting.
func (s source) has(setting *Setting, k key) bool {
	n := slices.Index(s.values[k], setting.Value)
	if n < 0 || n >= len(s.lines[k]) {
		return false
	}
	setting.at(s.lines[k][n])
	return true
}

func newSource() source { return source{make(map[key][]string), make(map[key][]place)} }

// saidBy returns what a config and its drop-ins say, as it is written where nothing differs in form.
func saidBy(wish *config.Sandbox, lines []dropin.Said) source {
	s := newSource()
	for _, e := range wish.Entries() {
		k := key{e.Section, e.Key}
		s.values[k] = append(s.values[k], e.Value)
	}
	for _, l := range lines {
		k := key{l.Section, l.Key}
		s.lines[k] = append(s.lines[k], place{l.File, l.Line})
	}
	return s
}

// foundIn returns what a state says.
func foundIn(file, state string) source {
	s := newSource()
	_ = textmerge.Each(state, config.IsVerbatim, func(l textmerge.Line, err error) error {
		if err == nil && l.Kind == textmerge.Setting {
			k := key{l.Entry.Section, l.Entry.Key}
			s.values[k] = append(s.values[k], l.Entry.Value)
			s.lines[k] = append(s.lines[k], place{file, l.Number})
		}
		return nil
	})
	return s
}
