package helper

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/alloc"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/hostnet"
)

// complete turns a config that somebody wrote or copied into the directory into what create would have made: identity,
// level and private paths. What the content was made with is taken from there. It is saved before any content is made of
// it, so that an interruption changes nothing of that. It returns what lies at the content directory.
func (m *Manager) complete(ctx context.Context, s *config.Sandbox) (content.State, error) {
	state, err := m.takeIdentity(s)
	if err != nil {
		return state, err
	}
	if state == content.Absent {
		if err := m.tellFromTwin(s); err != nil {
			return state, err
		}
	}
	static := s.Security.Mode == config.SecurityStatic
	if err := m.alloc().CheckIDs(s); err != nil {
		return state, err
	}
	if err := m.hostnet().CheckMACs(s); err != nil {
		return state, err
	}
	if s.HasMACs() && !s.Hardening.IDMap.Auto && !s.Created.IsZero() && s.UUID != "" && s.MachineID != "" && (s.Security.Level != "" || !static) {
		return state, nil
	}
	if s.UUID == "" {
		s.UUID = uuid.New().String()
	}
	if s.MachineID == "" {
		s.MachineID = strings.ReplaceAll(s.UUID, "-", "")
	}
	if err := m.chooseMACs(s); err != nil {
		return state, err
	}
	if s.Created.IsZero() {
		if err := m.planBesideListed(ctx, s); err != nil {
			return state, err
		}
	}
	reservation, err := m.alloc().ReserveLevel(ctx, s, func(use alloc.Use) error {
		m.Warn("%s: level %s is not kept apart from %s, which %s has; change one of them unless that is meant",
			m.Store.Path(s.Name), s.Security.Level, use.Level, use.By)
		return nil
	})
	if err != nil {
		return state, err
	}
	defer reservation.Release()
	ids, err := m.alloc().ReserveIDs(ctx, s)
	if err != nil {
		return state, err
	}
	defer ids.Release()
	if err := errors.Join(m.Host.CheckLabel(s.ProcessLabel()), m.checkFileLabel(s)); err != nil {
		return state, fmt.Errorf("%s: %w", m.Store.Path(s.Name), err)
	}
	return state, m.Store.Save(s)
}

// takeIdentity gives a config what its content knows and it does not say. A config that names the content of another
// sandbox is refused, unless it is a copy of that one's: then it gets content of its own.
func (m *Manager) takeIdentity(s *config.Sandbox) (content.State, error) {
	state, err := content.Inspect(s.Content)
	if err != nil || state == content.Absent || state == content.Foreign {
		return state, err
	}
	owner, id, err := m.ownerOf(s)
	if err != nil {
		return state, err
	}
	if owner != s.Name {
		if id == nil || s.UUID == "" || s.UUID != id.UUID {
			return state, m.contentIsOf(s, owner)
		}
		if s.Image != "" {
			return state, m.imageIsOf(s, owner)
		}
		s.Content = filepath.Join(filepath.Dir(s.Content), s.Name)
		m.Warn("%s is a copy of the config of %s; its content is %s", s.Name, owner, s.Content)
		return content.Inspect(s.Content)
	}
	if id == nil {
		return state, nil
	}
	if s.UUID == "" {
		s.UUID = id.UUID
	}
	if s.MachineID == "" {
		s.MachineID = id.MachineID
	}
	if s.Security.Level == "" && s.Security.Mode == config.SecurityStatic {
		s.Security.Level = id.Level
	}
	return state, nil
}

// ownerOf gives the name of the sandbox whose the content of s is: the one that the content names, as long as that has a
// config; one that was renamed has none of its old name. Content that names nobody is that of the first other config which
// has it, or else of s. id is what the content says, nil for nothing.
func (m *Manager) ownerOf(s *config.Sandbox) (owner string, id *content.Identity, err error) {
	if id, err = content.ReadIdentity(s.Content); err != nil {
		return "", nil, err
	}
	if id != nil && (id.Name == s.Name || s.UUID != id.UUID) {
		return id.Name, id, nil
	}
	names, err := m.Store.Names()
	if err != nil {
		return "", nil, err
	}
	if id != nil {
		if slices.Contains(names, id.Name) {
			return id.Name, id, nil
		}
		return s.Name, id, nil
	}
	for _, name := range names {
		if other, err := m.Store.Load(name); err == nil && name != s.Name && other.Content == s.Content {
			return name, nil, nil
		}
	}
	return s.Name, nil, nil
}

// contentIsOf refuses a config that names another sandbox's content.
func (m *Manager) contentIsOf(s *config.Sandbox, owner string) error {
	return fmt.Errorf("%s: content %s is that of %s; name another directory, or leave the line out", m.Store.Path(s.Name), s.Content, owner)
}

// imageIsOf refuses a config that names another sandbox's image.
func (m *Manager) imageIsOf(s *config.Sandbox, owner string) error {
	return fmt.Errorf("%s: image %s is that of %s; name another file", m.Store.Path(s.Name), s.Image, owner)
}

// planBesideListed adds to the private paths that a person listed those that create would find.
func (m *Manager) planBesideListed(ctx context.Context, s *config.Sandbox) error {
	listed, units := s.Private, slices.Clone(s.Units)
	if err := m.planContent(ctx, s); err != nil {
		return err
	}
	for _, unit := range units {
		if !slices.Contains(s.Units, unit) {
			return fmt.Errorf("%s: unit %s is another name of one of %s; name that", m.Store.Path(s.Name), unit, strings.Join(s.Units, ", "))
		}
	}
	s.Units = units
	for _, p := range s.Private {
		if !slices.ContainsFunc(listed, func(l config.PrivatePath) bool { return l.Path == p.Path }) {
			listed = append(listed, p)
		}
	}
	s.Private = listed
	return nil
}

// tellFromTwin finds out whether a config without content is a copy of another one, name changed, and gives it an identity
// of its own.
func (m *Manager) tellFromTwin(s *config.Sandbox) error {
	names, err := m.Store.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == s.Name {
			continue
		}
		other, err := m.Store.Load(name)
		if err != nil {
			continue
		}
		if other.Content == s.Content {
			return m.contentIsOf(s, name)
		}
		if s.Image != "" && other.Image == s.Image {
			return m.imageIsOf(s, name)
		}
		if (s.UUID == "" || s.UUID != other.UUID) && (s.MachineID == "" || s.MachineID != other.MachineID) {
			continue
		}
		m.Warn("%s is a copy of the config of %s; it gets a uuid and machine-id of its own", s.Name, name)
		s.UUID, s.MachineID, s.Created = "", "", time.Time{}
		if s.Security.Level == other.Security.Level && !s.Security.HasLabel() {
			m.Warn("%s gets an MCS level of its own in place of %s, which %s has", s.Name, s.Security.Level, name)
			s.Security.Level = ""
		}
		hostnet.DropMACsOf(s, other)
		if s.Hardening.IDMap.Mapped() && s.Hardening.IDMap.Overlaps(other.Hardening.IDMap) {
			s.Hardening.IDMap = config.IDMap{Auto: true}
		}
	}
	return nil
}
