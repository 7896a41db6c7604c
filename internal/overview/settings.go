// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
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

// Settings returns the description of a sandbox, with all that its config does not say. Errors: config.ErrNotFound,
// *config.SyntaxError, or of reading.
func Settings(store config.Store, name string) ([]Setting, error) {
	whole, text, err := store.LoadText(name)
	if err != nil {
		return nil, err
	}
	wish, err := config.Parse(store.Path(name), text)
	if err != nil {
		return nil, err
	}
	state, err := store.States.Read(name)
	if err != nil {
		return nil, err
	}
	said := source{store.Path(name), valuesOf(wish.Entries()), linesOf(text)}
	found := source{store.States.Path(name), nil, linesOf(state)}
	found.values = valuesOf(entriesOf(state))
	var settings []Setting
	seen := make(map[key]int)
	for _, e := range whole.Entries() {
		setting := Setting{Section: e.Section, Key: e.Key, Value: e.Value, Source: SourceDefault}
		k := key{e.Section, e.Key}
		switch {
		case said.has(&setting, k):
			setting.Source = SourceConfig
		case k == key{"network", "interface"} && seen[k] < len(said.lines[k]):
			setting.Source, setting.File, setting.Line = SourceBoth, said.file, said.lines[k][seen[k]]
		case k == key{"security", "level"} && whole.Security.HasLabel() && len(said.lines[key{"security", "label"}]) > 0:
			setting.Source, setting.File, setting.Line = SourceConfig, said.file, said.lines[key{"security", "label"}][0]
		case found.has(&setting, k):
			setting.Source = SourceAllocated
		}
		seen[k]++
		settings = append(settings, setting)
	}
	return settings, nil
}

// source is a file that says settings.
type source struct {
	file   string
	values map[key][]string // in the order of its lines
	lines  map[key][]int
}

// has finds the line that says a setting.
func (s source) has(setting *Setting, k key) bool {
	n := slices.Index(s.values[k], setting.Value)
	if n < 0 || n >= len(s.lines[k]) {
		return false
	}
	setting.File, setting.Line = s.file, s.lines[k][n]
	return true
}

func valuesOf(entries []textmerge.Entry) map[key][]string {
	values := make(map[key][]string)
	for _, e := range entries {
		k := key{e.Section, e.Key}
		values[k] = append(values[k], e.Value)
	}
	return values
}

// settingLines returns the lines of a text that say something; what is wrong in it was told by who read it before.
func settingLines(text string) (lines []textmerge.Line) {
	section, number := "", 0
	for raw := range strings.Lines(text) {
		l, err := textmerge.ReadLine(strings.TrimSuffix(raw, "\n"), section, config.IsVerbatim)
		number++
		if l.Number, section = number, l.Section; err == nil && l.Kind == textmerge.Setting {
			lines = append(lines, l)
		}
	}
	return lines
}

func linesOf(text string) map[key][]int {
	lines := make(map[key][]int)
	for _, l := range settingLines(text) {
		k := key{l.Entry.Section, l.Entry.Key}
		lines[k] = append(lines[k], l.Number)
	}
	return lines
}

func entriesOf(text string) (entries []textmerge.Entry) {
	for _, l := range settingLines(text) {
		entries = append(entries, l.Entry)
	}
	return entries
}
