// SPDX-License-Identifier: Apache-2.0

package config

import (
	"slices"
	"time"
)

// Given tells what somebody asked for of that which is allocated where nobody does.
type Given struct {
	Level, IDMap bool
	MACs         []string
}

// GivenBy returns what a description has that was not allocated yet.
func GivenBy(s *Sandbox) Given {
	g := Given{Level: s.Security.Level != "", IDMap: s.Hardening.IDMap.Mapped()}
	for _, i := range s.Interfaces {
		g.MACs = append(g.MACs, i.MAC)
	}
	return g
}

// Wish returns what a config says of a description: what was asked for.
func (s *Sandbox) Wish(given Given) *Sandbox {
	w := *s
	w.UUID, w.MachineID, w.Created, w.State = "", "", time.Time{}, StateUsable
	if w.Content == DefaultContentBase+"/"+w.Name {
		w.Content = ""
	}
	if !given.Level && !w.Security.HasLabel() {
		w.Security.Level = ""
	}
	if w.Hardening.IDMap.Mapped() && !given.IDMap {
		w.Hardening.IDMap = IDMap{Auto: true}
	}
	w.Interfaces = slices.Clone(s.Interfaces)
	for n, i := range w.Interfaces {
		if !slices.Contains(given.MACs, i.MAC) {
			w.Interfaces[n].MAC = ""
		}
	}
	w.Private = slices.DeleteFunc(slices.Clone(s.Private), func(p PrivatePath) bool { return !isListed(p) })
	return &w
}

// TextLike returns the config as a file with the comments of another text, which errors would call by the name given.
// What of that cannot be parsed any more has no comments worth anything.
func (s *Sandbox) TextLike(file, like string) string {
	var old []line
	if like != "" {
		old, _ = parseLines(file, like)
	}
	text := s.mergeInto(old)
	if _, err := Parse(file, text); err != nil {
		return s.Text()
	}
	return text
}
