// SPDX-License-Identifier: Apache-2.0

// Package textmerge writes settings into a text that a person has written: their comments, order and forms stay where
// they can. In: the lines of the text, as its reader understood them, and the settings that it shall have; out: the new
// text. Package config calls it.
package textmerge

import (
	"slices"
	"strings"
)

// Entry is one KEY=VALUE below a [section].
type Entry struct {
	Section, Key, Value string
}

// Line is one line of the text: what it says, and the text itself for those that say nothing to us.
type Line struct {
	Number  int
	Text    string
	Kind    Kind
	Section string // set on section headers and on all lines below one
	Entry   Entry  // of a Setting
}

// Kind is what a line is.
type Kind int

// The kinds of lines.
const (
	Other Kind = iota // blank or a comment
	Header
	Setting
)

// keyName is a key of a section.
type keyName struct{ section, key string }

// Merge writes entries into an existing text: what a person wrote stays where it is, changed values are replaced in
// place, new ones go to the end of their section, and what is no longer there goes. write makes a line of an entry.
func Merge(old []Line, entries []Entry, write func(Entry) string) string {
	pending := make(map[string][]Entry) // by section, those not yet written
	var order []string
	for _, e := range entries {
		if _, seen := pending[e.Section]; !seen {
			order = append(order, e.Section)
		}
		pending[e.Section] = append(pending[e.Section], e)
	}
	stay := staying(old, entries)
	var out []string
	flush := func(section string) {
		blank := len(out)
		for blank > 0 && strings.TrimSpace(out[blank-1]) == "" {
			blank--
		}
		var added []string
		for _, e := range pending[section] {
			added = append(added, write(e))
		}
		out = append(out[:blank:blank], append(added, out[blank:]...)...)
		delete(pending, section)
	}
	section := ""
	for _, l := range old {
		switch {
		case l.Kind == Header:
			flush(section)
			section = l.Section
			out = append(out, l.Text)
		case l.Kind == Other:
			out = append(out, l.Text)
		case stay[l.Number]:
			i := slices.IndexFunc(pending[section], func(e Entry) bool { return e.Key == l.Entry.Key })
			if i < 0 {
				continue // A second section of the name: the first has taken all.
			}
			e := pending[section][i]
			pending[section] = slices.Delete(pending[section], i, i+1)
			if e == l.Entry {
				out = append(out, l.Text)
			} else {
				out = append(out, write(e))
			}
		}
	}
	flush(section)
	for _, name := range order {
		if len(pending[name]) == 0 {
			continue
		}
		if len(out) > 0 && out[len(out)-1] != "" {
			out = append(out, "")
		}
		out = append(out, "["+name+"]")
		flush(name)
	}
	return strings.Join(out, "\n") + "\n"
}

// staying tells, by line number, which old lines take the next value of their key. Values keep their order, which
// counts for arguments: of a list that grew or shrank, those lines stay that lead in the new one.
func staying(old []Line, entries []Entry) map[int]bool {
	now, was := make(map[keyName][]string), make(map[keyName]int)
	for _, e := range entries {
		now[keyName{e.Section, e.Key}] = append(now[keyName{e.Section, e.Key}], e.Value)
	}
	for _, l := range old {
		if l.Kind == Setting {
			was[keyName{l.Entry.Section, l.Entry.Key}]++
		}
	}
	stay, next := make(map[int]bool), make(map[keyName]int)
	for _, l := range old {
		if l.Kind != Setting {
			continue
		}
		name := keyName{l.Entry.Section, l.Entry.Key}
		values := now[name]
		if was[name] == len(values) || (next[name] < len(values) && values[next[name]] == l.Entry.Value) {
			stay[l.Number] = true
			next[name]++
		}
	}
	return stay
}
