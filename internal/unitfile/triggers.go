// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"errors"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// Set is the units of a sandbox as the host has them.
type Set struct {
	Asked     []*Unit // in the order of their names
	Triggered []*Unit // by a socket, timer or path among the others; a template where each connection has an instance
}

// All returns the units that were asked for, and those that they start.
func (s Set) All() []*Unit { return slices.Concat(s.Asked, s.Triggered) }

// Capabilities returns those that the units name for themselves or cannot be without. mayMount says whether a unit that
// cannot be without mounts could make them if it had the capability.
func (s Set) Capabilities(mayMount bool) []string {
	var names []string
	for _, u := range s.All() {
		names = append(names, u.Capabilities()...)
		if mayMount && u.NeedsMounts() {
			names = append(names, "CAP_SYS_ADMIN")
		}
	}
	return names
}

// FindAll finds units by their names as Find does, and what sockets, timers and paths among them start. absent is
// called for a unit that the host does not have, and says whether to go on. Errors: those of absent, of reading.
func (r Root) FindAll(names []string, instance string, absent func(error) error) (Set, error) {
	var set Set
	seen, links := make(map[string]bool), r.newLinks()
	for _, name := range names {
		u, err := r.find(name, instance, links)
		if errors.Is(err, ErrNoUnit) {
			err = absent(err)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return Set{}, err
		}
		if !seen[u.Name] {
			seen[u.Name] = true
			set.Asked = append(set.Asked, u)
		}
	}
	for next := set.Asked; len(next) > 0; {
		var found []*Unit
		for _, u := range next {
			t, err := r.triggered(u, links)
			if err != nil {
				return Set{}, err
			}
			if t != nil && !seen[t.Name] {
				seen[t.Name] = true
				found = append(found, t)
			}
		}
		set.Triggered = append(set.Triggered, found...)
		next = found
	}
	return set, nil
}

// triggered finds the unit that a socket, timer or path starts; nil for any other unit, and where the host has none.
func (r Root) triggered(u *Unit, links links) (*Unit, error) {
	name, err := unitname.Parse(u.Name)
	if err != nil {
		return nil, nil // It runs nothing.
	}
	directive := "Unit"
	switch name.Type() {
	case unitname.Socket:
		directive = "Service"
	case unitname.Timer, unitname.Path:
	default:
		return nil, nil
	}
	wanted := name.Of(unitname.Service)
	if explicit := u.Words(directive); len(explicit) > 0 {
		if wanted, err = unitname.Parse(explicit[len(explicit)-1]); err != nil {
			return nil, nil
		}
	} else if u.Bool("Accept") {
		wanted = unitname.Instance(name.Stem(), "")
	}
	t := r.locate(wanted, maxAliases)
	if t == nil {
		return nil, nil
	}
	return t, r.read(t, links)
}
