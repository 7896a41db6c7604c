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
	SourceConfig    = "config" // or the template of it
	SourceDropIn    = "drop-in"
	SourceAllocated = "allocated" // found or allocated, and kept in the state
	SourceDefault   = "default"

	andAllocated = " and " + SourceAllocated // behind who says the other part
)

// Setting is one of a sandbox's description, and where it comes from.
type Setting struct {
	Section string `json:"section"`
	Key     string `json:"key"`
	Value   string `json:"value"`
	Source  string `json:"source"`
	File    string `json:"file,omitempty"` // of a default, and of what is allocated later, none
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

// Planned returns the description of a sandbox that a dry run of create has returned, as Settings will once it is made.
// What will be allocated then has no value. Errors: *config.SyntaxError, or of reading.
func Planned(store config.Store, s *config.Sandbox) ([]Setting, error) {
	files, err := store.Planned(s)
	if err != nil {
		return nil, err
	}
	wish, lines, err := store.WishOf(s.Name, files)
	if err != nil {
		return nil, err
	}
	whole := *s
	whole.UUID, whole.MachineID = wish.UUID, wish.MachineID
	settings := describe(&whole, saidBy(wish, lines), newSource())
	for i := range settings {
		if settings[i].Section == "private" && settings[i].Source == SourceDefault {
			settings[i].Source = SourceAllocated
		}
	}
	later := []key{{"sandbox", "uuid"}, {"sandbox", "machine-id"}, {"sandbox", "created"}}
	if s.Security.Mode != config.SecurityDynamic {
		later = append(later, key{"security", "level"})
	}
	for _, k := range later {
		settings = withAllocated(settings, k)
	}
	return settings, nil
}

// withAllocated adds a setting that has no value yet behind those of its section, unless it is there.
func withAllocated(settings []Setting, k key) []Setting {
	at := len(settings)
	for i, s := range settings {
		if s.Section == k.section {
			at = i + 1
		}
		if (key{s.Section, s.Key}) == k {
			return settings
		}
	}
	return slices.Insert(settings, at, Setting{Section: k.section, Key: k.key, Source: SourceAllocated})
}

// describe tells of each setting of a description who says it.
func describe(whole *config.Sandbox, said, found source) (settings []Setting) {
	seen := make(map[key]int)
	for _, e := range whole.Entries() {
		setting := Setting{Section: e.Section, Key: e.Key, Value: e.Value, Source: SourceDefault}
		k := key{e.Section, e.Key}
		switch {
		case said.has(&setting, k):
		case k == key{"network", "interface"} && seen[k] < len(said.lines[k]):
			setting.at(said.lines[k][seen[k]])
			setting.Source += andAllocated
		case k == key{"security", "level"} && whole.Security.HasLabel() && len(said.lines[key{"security", "label"}]) > 0:
			setting.at(said.lines[key{"security", "label"}][0])
		default:
			found.has(&setting, k)
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
	kind string // SourceConfig and others
	file string
	line int
}

func (s *Setting) at(p place) { s.Source, s.File, s.Line = p.kind, p.file, p.line }

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
		kind := SourceConfig
		if l.DropIn {
			kind = SourceDropIn
		}
		s.lines[k] = append(s.lines[k], place{kind, l.File, l.Line})
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
			s.lines[k] = append(s.lines[k], place{SourceAllocated, file, l.Number})
		}
		return nil
	})
	return s
}
