package helper

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper/content"
)

// complete turns a config that somebody wrote or copied into the directory into what create would have made: identity,
// level and private paths. It is saved before any content is made of it, so that an interruption changes nothing of that.
func (m *Manager) complete(ctx context.Context, s *config.Sandbox, state content.State) error {
	if err := m.tellFromTwin(s, state); err != nil {
		return err
	}
	if !s.Created.IsZero() && s.UUID != "" && s.MachineID != "" && (s.Security.Level != "" || s.Security.Mode != config.SecurityStatic) {
		return nil
	}
	if s.UUID == "" {
		s.UUID = uuid.New().String()
	}
	if s.MachineID == "" {
		s.MachineID = strings.ReplaceAll(s.UUID, "-", "")
	}
	if s.Created.IsZero() {
		listed := s.Private
		if err := m.planContent(ctx, s); err != nil {
			return err
		}
		for _, p := range s.Private {
			if !slices.ContainsFunc(listed, func(l config.PrivatePath) bool { return l.Path == p.Path }) {
				listed = append(listed, p)
			}
		}
		s.Private = listed
	}
	reservation, err := m.reserveLevel(ctx, s)
	if err != nil {
		return err
	}
	defer reservation.release()
	return m.Store.Save(s)
}

// tellFromTwin finds out whether a config is a copy of another one, name changed, and gives it an identity of its own. It
// refuses to let two configs have one content.
func (m *Manager) tellFromTwin(s *config.Sandbox, state content.State) error {
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
		file := m.Store.Path(s.Name)
		if other.Content == s.Content {
			return fmt.Errorf("%s: content %s is that of %s; name another directory, or leave the line out", file, s.Content, name)
		}
		sameUUID, sameID := s.UUID != "" && s.UUID == other.UUID, s.MachineID != "" && s.MachineID == other.MachineID
		if !sameUUID && !sameID {
			continue
		}
		if state != content.Absent {
			return fmt.Errorf("%s: uuid or machine-id is that of %s; two containers cannot share them", file, name)
		}
		m.Warn("%s is a copy of the config of %s; it gets a uuid and machine-id of its own", s.Name, name)
		s.UUID, s.MachineID, s.Created = "", "", time.Time{}
		if s.Security.Level == other.Security.Level && s.Security.Label == "" && s.Security.Mode == config.SecurityStatic {
			m.Warn("%s gets an MCS level of its own in place of %s, which %s has", s.Name, s.Security.Level, name)
			s.Security.Level = ""
		}
	}
	return nil
}
