// SPDX-License-Identifier: Apache-2.0

// Package dropin puts together what several texts say of the same keys, as systemd does with a unit and its drop-ins:
// of a key that takes one value the last counts, to a key that takes many each adds, and an empty value forgets what
// was said before. In: settings with the lines that say them. Out: those that count. It knows no format; package config
// calls it.
package dropin

import (
	"slices"

	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

// Said is a setting, and where it is said.
type Said struct {
	textmerge.Entry
	Raw    string // the value as it is written, with specifiers
	File   string
	Line   int  // from 1
	Resets bool // it forgets what was said before, and says nothing else
	DropIn bool // it is said in a drop-in
}

// Key is a key of a section.
type Key struct{ Section, Key string }

// KeyOf returns the key of a setting.
func KeyOf(e textmerge.Entry) Key { return Key{e.Section, e.Key} }

// Effective returns the settings that count of all that are said, in the order in which they are said. isList tells of
// a key whether it takes many values.
func Effective(all []Said, isList func(Key) bool) []Said {
	counts := make([]bool, len(all))
	last := make(map[Key]int)
	for i, said := range all {
		key := KeyOf(said.Entry)
		list := isList(key)
		if said.Resets {
			for n := range i {
				counts[n] = counts[n] && KeyOf(all[n].Entry) != key
			}
			delete(last, key)
			continue
		}
		if n, before := last[key]; before && !list {
			counts[n] = false
		}
		counts[i], last[key] = true, i
	}
	var effective []Said
	for i, said := range all {
		if counts[i] {
			effective = append(effective, said)
		}
	}
	return effective
}

// Without returns what a text has to say so that with the drop-ins the settings given count, if it can be had: it does
// not say what they add, and where they decide it says what it said before. said is what the text said until now, if
// anything, and what its drop-ins say; write makes of a setting one as it is written.
func Without(
	settings []textmerge.Entry, said []Said, isList func(Key) bool, write func(textmerge.Entry) textmerge.Entry,
) []textmerge.Entry {
	decided := make(map[Key]bool)
	var dropIns []Said
	for _, s := range said {
		if s.DropIn {
			dropIns = append(dropIns, s)
			if key := KeyOf(s.Entry); s.Resets || !isList(key) {
				decided[key] = true
			}
		}
	}
	var added []textmerge.Entry
	for _, s := range Effective(dropIns, isList) {
		added = append(added, s.Entry)
	}
	var out []textmerge.Entry
	for _, e := range settings {
		if decided[KeyOf(e)] {
			continue
		}
		if i := slices.Index(added, e); i >= 0 {
			added = slices.Delete(added, i, i+1)
			continue
		}
		out = append(out, write(e))
	}
	for _, s := range said {
		if !s.DropIn && !s.Resets && decided[KeyOf(s.Entry)] {
			s.Value = s.Raw
			out = append(out, s.Entry)
		}
	}
	return out
}
