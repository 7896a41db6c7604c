// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"slices"
	"strings"
)

// Condition is a condition or an assertion of a unit (systemd.unit(5), "Conditions and Asserts").
type Condition struct {
	Kind    string // what is looked at, such as PathExists
	Trigger bool   // begins with "|": one of those that do is enough
	Negated bool
	Value   string // without these marks, specifiers not expanded
}

// Conditions returns those of the unit that count: an empty one of any kind resets all before it. prefix is Condition
// or Assert.
func (u *Unit) Conditions(prefix string) []Condition {
	var all []Condition
	for _, o := range u.options {
		kind, found := strings.CutPrefix(o.name, prefix)
		if o.section != "Unit" || !found {
			continue
		}
		if o.value == "" {
			all = nil
			continue
		}
		c := Condition{Kind: kind}
		c.Value, c.Trigger = cutMark(o.value, "|")
		c.Value, c.Negated = cutMark(c.Value, "!")
		all = append(all, c)
	}
	return all
}

func cutMark(value, mark string) (rest string, found bool) {
	rest, found = strings.CutPrefix(value, mark)
	return strings.TrimLeft(rest, blanks), found
}

// String returns the assignment without its prefix.
func (c Condition) String() string {
	text := c.Kind + "="
	if c.Trigger {
		text += "|"
	}
	if c.Negated {
		text += "!"
	}
	if text += c.Value; endsInEscape(text) {
		text += " " // It would hold on to the next line otherwise.
	}
	return text
}

// Without returns conditions of which those are left out that a container cannot meet, and with one that is a trigger
// all triggers, since the host would take them for met.
func Without(all []Condition, unmet func(Condition) bool) []Condition {
	met := slices.ContainsFunc(all, func(c Condition) bool { return c.Trigger && unmet(c) })
	return slices.DeleteFunc(slices.Clone(all), func(c Condition) bool { return unmet(c) || met && c.Trigger })
}
