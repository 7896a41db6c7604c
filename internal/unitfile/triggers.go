// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"errors"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// Set is the units of a sandbox as the host has them, each once.
type Set struct {
	Asked     []*Unit // in the order of their names
	Triggered []*Unit // by a socket, timer or path among the others; a template where each connection has an instance
	Required  []*Unit // by those, which do not start without them
	Wanted    []*Unit // by any of those, which start without them, and what these cannot be without
}

// All returns the units that the sandbox cannot be without: those that were asked for, what they start, and what they
// require.
func (s Set) All() []*Unit { return slices.Concat(s.Asked, s.Triggered, s.Required) }

// Inside returns all units that run in the container.
func (s Set) Inside() []*Unit { return append(s.All(), s.Wanted...) }

// Has reports whether a unit of the set has a name.
func (s Set) Has(name string) bool {
	return slices.ContainsFunc(s.Inside(), func(u *Unit) bool {
		return u.Name == name || slices.Contains(u.Aliases, name)
	})
}

// Capabilities returns those that the units name for themselves or cannot be without. mayMount says whether a unit that
// cannot be without mounts could make them if it had the capability. Units that are merely wanted get none by asking.
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

// FindAll finds units by their names as Find does, what sockets, timers and paths among them start, and what they pull
// in. absent is called for a unit that the host does not have, and says whether to go on. Errors: those of absent, of
// reading.
func (r Root) FindAll(names []string, instance string, absent func(error) error) (Set, error) {
	var set Set
	f := newFinder(r)
	for _, name := range names {
		u, err := r.find(name, instance, f.index)
		if errors.Is(err, ErrNoUnit) {
			err = absent(err)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return Set{}, err
		}
		if !f.seen[u.Name] {
			f.seen[u.Name] = true
			set.Asked = append(set.Asked, u)
		}
	}
	var err error
	if set.Triggered, err = f.add(set.Asked, false, (*Unit).triggers); err != nil {
		return Set{}, err
	}
	for _, u := range set.Triggered {
		u.By, u.Via = "", ""
	}
	if set.Required, err = f.add(set.All(), false, f.required); err != nil {
		return Set{}, err
	}
	set.Wanted, err = f.add(set.All(), true, f.wanted)
	return set, err
}

// triggered is said of a unit that another starts when something happens.
const triggered = "Triggers"

// triggers returns what a socket, timer or path starts; nothing for any other unit.
func (u *Unit) triggers() []pull {
	name, err := unitname.Parse(u.Name)
	if err != nil {
		return nil // It runs nothing.
	}
	directive := "Unit"
	switch name.Type() {
	case unitname.Socket:
		directive = "Service"
	case unitname.Timer, unitname.Path:
	default:
		return nil
	}
	wanted := name.Of(unitname.Service)
	if explicit := u.Words(directive); len(explicit) > 0 {
		if wanted, err = unitname.Parse(explicit[len(explicit)-1]); err != nil {
			return nil
		}
	} else if u.Bool("Accept") {
		wanted = unitname.Instance(name.Stem(), "")
	}
	return []pull{{wanted.String(), triggered}}
}
