// SPDX-License-Identifier: Apache-2.0

// Package unitname knows the names of systemd's units as systemd.unit(5) has them: foo.service, the template
// foo@.service and its instance foo@bar.service. In: a name as a config, a directory or a person has it; out: its
// parts, or the name that has other parts. Everybody may call it; it calls nobody. It is the one parser of unit names
// in this program.
package unitname

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/ascii"
)

// MaxLength is the longest name that systemd takes for a unit, in bytes.
const MaxLength = 255

// Type is the type of a unit, the last part of its name, without the dot.
type Type string

// The types of units that a container can be told to run.
const (
	Service Type = "service"
	Socket  Type = "socket"
	Target  Type = "target"
	Timer   Type = "timer"
	Path    Type = "path"
	Mount   Type = "mount"
)

// known reports whether systemd has the type.
func (t Type) known() bool {
	switch t {
	case "device", "automount", "swap", "slice", "scope":
		return true
	}
	return t.Runs()
}

// Runs reports whether a container can be told to run units of the type: not what stands for something of the kernel,
// or for processes that others start.
func (t Type) Runs() bool {
	switch t {
	case Service, Socket, Target, Timer, Path, Mount:
		return true
	}
	return false
}

// Name is the name of a unit in its parts. Equal names are equal to ==. The zero Name is no unit's.
type Name struct {
	prefix, instance string
	at               bool // whether there is an "@", which a template and an instance have
	kind             Type
}

// plain are the characters of a unit's name beside letters and digits; an instance can also have "@".
const plain = `:_.\-`

// Parse reads the full name of a unit, with its type. Errors: the text is none.
func Parse(text string) (Name, error) {
	dot := strings.LastIndexByte(text, '.')
	if dot < 0 || len(text) > MaxLength {
		return Name{}, invalid(text)
	}
	n := Name{kind: Type(text[dot+1:])}
	n.prefix, n.instance, n.at = strings.Cut(text[:dot], "@")
	if !n.kind.known() || !ascii.Consists(n.prefix, plain) || n.instance != "" && !ascii.Consists(n.instance, plain+"@") {
		return Name{}, invalid(text)
	}
	return n, nil
}

func invalid(text string) error { return fmt.Errorf("%q is not the name of a unit", text) }

// Instance returns the name of the service prefix@instance.service. The parts are not checked.
func Instance(prefix, instance string) Name { return Name{prefix, instance, true, Service} }

// Complete returns a name as a person writes it with its type: a service's where it has none that a container can run.
// A dot alone may be part of a name or of an instance.
func Complete(text string) string {
	if dot := strings.LastIndexByte(text, '.'); dot >= 0 && Type(text[dot+1:]).Runs() {
		return text
	}
	return text + "." + string(Service)
}

// String returns the full name.
func (n Name) String() string { return n.Stem() + "." + string(n.kind) }

// Stem returns the name without its type, the %N of systemd.unit(5) before it is unescaped.
func (n Name) Stem() string {
	if n.at {
		return n.prefix + "@" + n.instance
	}
	return n.prefix
}

// Prefix returns what is before the "@", or the name without its type.
func (n Name) Prefix() string { return n.prefix }

// Instance returns the name of the instance; "" for a template and for a unit that is made from none.
func (n Name) Instance() string { return n.instance }

// Type returns the type of the unit.
func (n Name) Type() Type { return n.kind }

// Of returns the name with another type.
func (n Name) Of(kind Type) Name {
	n.kind = kind
	return n
}

// IsTemplate reports whether the name is that of a template, such as foo@.service.
func (n Name) IsTemplate() bool { return n.at && n.instance == "" }

// IsInstance reports whether the name is that of a template's instance, such as foo@bar.service.
func (n Name) IsInstance() bool { return n.instance != "" }

// Template returns the name of the template that an instance is made from; ok is false for a unit that is made from
// none.
func (n Name) Template() (template Name, ok bool) {
	return Name{n.prefix, "", true, n.kind}, n.at
}

// Instantiate returns the instance of a template, or of the template of another instance. A name without "@" stays as
// it is.
func (n Name) Instantiate(instance string) Name {
	if n.at {
		n.instance = instance
	}
	return n
}

// DropInNames returns the names under which drop-ins for a unit lie, in the order in which systemd searches them:
// a-b@c.service has a-b@.service, a-.service, a-@c.service and a-@.service too. systemd.unit(5) does not say that the
// shorter name of a template is that of no template.
func (n Name) DropInNames() []string { return n.addDropInNames(nil) }

func (n Name) addDropInNames(names []string) []string {
	if slices.Contains(names, n.String()) {
		return names
	}
	names = append(names, n.String())
	if n.IsInstance() {
		names = n.Instantiate("").addDropInNames(names)
	}
	dash := strings.LastIndexByte(strings.TrimSuffix(n.prefix, "-"), '-')
	if dash <= 0 {
		return names
	}
	return Name{n.prefix[:dash+1], n.instance, n.IsInstance(), n.kind}.addDropInNames(names)
}
