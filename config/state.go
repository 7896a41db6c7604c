// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/internal/nic"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

// stateHead tells a person what the file is.
const stateHead = "# What virt-sandbox found or allocated for this sandbox. What its config says wins.\n"

// stateKeys are the keys whose values are found or allocated where a config does not say them.
func stateKeys() []keyName {
	return []keyName{
		{Section: "sandbox", Key: "format"}, {Section: "sandbox", Key: "uuid"}, {Section: "sandbox", Key: "machine-id"},
		{Section: "sandbox", Key: "created"}, {Section: "sandbox", Key: "state"}, {Section: "security", Key: "level"},
		{Section: "hardening", Key: "idmap"}, {Section: "network", Key: "interface"}, {Section: "private", Key: "path"},
	}
}

// Texts returns all that is written about a sandbox, its config, drop-ins and its state, to be searched.
func (s Store) Texts(name string) (string, error) {
	var text string
	files, err := s.Find(name)
	var masked *MaskedError
	if err != nil && !errors.As(err, &masked) {
		return "", err
	}
	if err == nil {
		for _, file := range files.Files {
			text += file.Text
		}
	}
	state, err := s.States.Read(name)
	return text + state, err
}

// Known returns what is known of a sandbox whose config may be masked: what was found or allocated stays its own.
// Errors: those of Load.
func (s Store) Known(name string) (*Sandbox, error) {
	sandbox, err := s.Load(name)
	var masked *MaskedError
	if errors.As(err, &masked) {
		return s.Complete(New(name))
	}
	return sandbox, err
}

// Complete adds to what a config asks for what was found or allocated beside it.
func (s Store) Complete(wish *Sandbox) (*Sandbox, error) {
	text, err := s.States.Read(wish.Name)
	if err != nil || text == "" {
		return wish, err
	}
	file := s.States.Path(wish.Name)
	r := newReader(wish.Name)
	r.only, r.literal = stateKeys(), true
	if err := r.read(file, text); err != nil {
		return nil, fmt.Errorf("%w; without that file, what it has is found anew", err)
	}
	whole := *wish
	whole.take(r.sandbox)
	if err := CheckInterfaces(whole.Network, whole.Interfaces); err != nil {
		return nil, &SyntaxError{File: file, Message: err.Error()}
	}
	return &whole, nil
}

// take adds what was found or allocated to what a config asks for.
func (s *Sandbox) take(found *Sandbox) {
	s.UUID, s.MachineID = cmp.Or(s.UUID, found.UUID), cmp.Or(s.MachineID, found.MachineID)
	s.State = cmp.Or(s.State, found.State)
	if s.Created.IsZero() {
		s.Created = found.Created
	}
	if s.Security.Mode != SecurityDynamic {
		s.Security.Level = cmp.Or(s.Security.Level, found.Security.Level)
	}
	if s.Hardening.IDMap.Auto && found.Hardening.IDMap.Mapped() {
		s.Hardening.IDMap = found.Hardening.IDMap
	}
	s.Interfaces = nic.WithMACs(s.Interfaces, found.Interfaces)
	s.takePrivate(found.Private)
}

// takePrivate adds the private paths that were found. What a person listed at or below one of them says nothing more:
// the origin that was found tells how a path follows the host.
func (s *Sandbox) takePrivate(found []PrivatePath) {
	listed := slices.DeleteFunc(slices.Clone(s.Private), func(p PrivatePath) bool {
		return slices.ContainsFunc(found, func(f PrivatePath) bool { return pathname.IsWithin(p.Path, f.Path) })
	})
	s.Private = slices.Concat(found, listed)
}

// Keep writes what was found or allocated for a sandbox, in one step and for root alone. Its config stays as it is.
// Preconditions: the caller holds the lock on the sandbox's name.
func (s Store) Keep(sandbox *Sandbox) error {
	if s.States == "" {
		return s.Save(sandbox)
	}
	file, text := s.States.Path(sandbox.Name), stateHead+sandbox.found().stateText()
	if old, err := s.States.Read(sandbox.Name); err == nil && old == text {
		return nil
	}
	r := newReader(sandbox.Name)
	r.only, r.literal = stateKeys(), true
	if err := r.read(file, text); err != nil {
		return fmt.Errorf("refuse to write a state that could not be read again: %w", err)
	}
	return s.States.Write(sandbox.Name, text)
}

// found returns a description of what is not written into a config.
func (s *Sandbox) found() *Sandbox {
	f := *s
	if s.Security.HasLabel() || s.Security.Mode == SecurityDynamic {
		// The label has it, or each start.
		f.Security.Level = ""
	}
	if !s.Hardening.IDMap.Mapped() {
		f.Hardening.IDMap = IDMap{}
	}
	f.Interfaces = slices.DeleteFunc(slices.Clone(s.Interfaces), func(i Interface) bool { return i.MAC == "" })
	f.Private = slices.DeleteFunc(slices.Clone(s.Private), isListed)
	return &f
}

// isListed reports whether a path is private because a person wants that.
func isListed(p PrivatePath) bool { return p.Origin == OriginAdmin }

func (s *Sandbox) stateText() string {
	keys := stateKeys()
	entries := slices.DeleteFunc(s.entries(), func(e entry) bool {
		return !slices.Contains(keys, keyName{Section: e.Section, Key: e.Key})
	})
	return textmerge.Merge(nil, entries, EntryText)
}
