// SPDX-License-Identifier: Apache-2.0

// Package unitfile finds unit files of a host and reads them as its systemd does (systemd.unit(5)). In: a root
// directory and a name as an administrator writes it; out: the unit with its drop-ins and what they say. Content
// planning and the verbs call it; it talks to no systemd, and runs nothing but the generator of services from scripts.
package unitfile

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// ErrNoUnit is returned by Find for a unit that the host does not have.
var ErrNoUnit = errors.New("no such unit")

// Root is the directory below which the unit files lie; "" for the machine itself.
type Root string

// Unit is a unit of the host as a container will run it.
type Unit struct {
	Name    string   // canonical, with its instance
	Aliases []string // its other names, those that enabling it would give it too
	Files   []string // its files or those of its template, the one that counts first
	DropIns []string // *.conf files that add to it
	Links   []Link   // by which an administrator has it pull in others, or not

	// By and Via are the unit that pulls it in, and the directive; "" for one that was asked for.
	By, Via string

	generated string // its text, where only a generator makes it; Files has what it is made from
	isHosts   bool   // the host has a unit of the full name that runs a container; its drop-ins are for that
	options   []assignment
}

// AsShipped returns a unit without what an administrator of the host made of it; nil for one that is an
// administrator's whole.
func (r Root) AsShipped(u *Unit) (*Unit, error) {
	if u.generated != "" {
		shipped := &Unit{Name: u.Name, Aliases: u.Aliases, Files: u.Files, generated: u.generated, By: u.By}
		return shipped, r.readOptions(shipped)
	}
	local := func(file string) bool {
		return strings.HasPrefix(file, "/etc/") || strings.HasPrefix(file, "/usr/local/")
	}
	shipped := &Unit{
		Name: u.Name, Aliases: u.Aliases, isHosts: u.isHosts, By: u.By,
		Files:   slices.DeleteFunc(slices.Clone(u.Files), local),
		DropIns: slices.DeleteFunc(slices.Clone(u.DropIns), local),
	}
	if len(shipped.Files) == 0 {
		return nil, nil
	}
	return shipped, r.readOptions(shipped)
}

// Words returns the words of a directive in all its occurrences, specifiers expanded; an empty assignment resets it
// (systemd.syntax(7)).
func (u *Unit) Words(directive string) []string {
	var words []string
	for _, o := range u.options {
		if o.name != directive {
			continue
		}
		if o.value == "" {
			words = nil
		}
		for _, word := range split(o.value) {
			words = append(words, u.expand(word))
		}
	}
	return words
}

// Paths returns the files of the unit and all absolute paths that its directives name, in no way told apart.
func (u *Unit) Paths() []string {
	paths := slices.Concat(u.Files, u.DropIns)
	divides := func(r rune) bool { return strings.ContainsRune(" \t\n\"'=:;,\\", r) }
	for _, o := range u.options {
		for _, word := range strings.FieldsFunc(u.expand(o.value), divides) {
			if word = strings.TrimLeft(word, "-@+!|~"); path.IsAbs(word) {
				paths = append(paths, word)
			}
		}
	}
	return paths
}

// Bool reports whether the last value of a directive is true (systemd.syntax(7)).
func (u *Unit) Bool(directive string) bool {
	words := u.Words(directive)
	return len(words) > 0 && slices.Contains([]string{"1", "yes", "true", "on"}, strings.ToLower(words[len(words)-1]))
}

// IsSimple reports whether systemd takes the unit for started before it is executed (systemd.service(5), Type=).
func (u *Unit) IsSimple() bool {
	if kind := u.Words("Type"); len(kind) > 0 {
		return kind[len(kind)-1] == "simple"
	}
	return len(u.Words("ExecStart")) > 0 && len(u.Words("BusName")) == 0
}

// FileName returns the name that the unit's file must have where systemd looks for it.
func (u *Unit) FileName() string {
	if file, err := unitname.Parse(path.Base(u.Files[0])); err == nil && file.IsTemplate() {
		return withTemplate(u.Name)[len(withTemplate(u.Name))-1]
	}
	return u.Name
}
