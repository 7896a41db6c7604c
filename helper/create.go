package helper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// Create makes content and config of a new sandbox. When it fails, or is told to stop, nothing stays behind; when it is
// killed, the next create or delete of the name removes what it left.
func (m *Manager) Create(ctx context.Context, options CreateOptions) (*config.Sandbox, error) {
	s, err := describe.New(options)
	if err != nil {
		return nil, describe.OptionErrorOf(err)
	}
	lock, err := m.lockName(ctx, s.Name)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	if err := m.nameIsFree(s.Name); err != nil {
		return nil, err
	}
	if err := m.planNetwork(s); err != nil {
		return nil, err
	}
	if err := m.planContent(ctx, s); err != nil {
		return nil, err
	}
	if err := m.stubs().Check(s); err != nil {
		return nil, err
	}
	fill := func() error { return m.Host.Prepare(ctx, s, m.Progress) }
	return s, m.bring(ctx, s, making{options: options, fill: fill})
}

// nameIsFree tells whether neither a config nor a libvirt domain has the name; a libvirt that does not answer is found
// out here, before anything is made.
func (m *Manager) nameIsFree(name string) error {
	connection, err := m.libvirt.Connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	if _, err := os.Lstat(m.Store.Path(name)); err == nil {
		return fmt.Errorf("%s exists already (%s); choose another name or delete it first", name, m.Store.Path(name))
	}
	domain, err := connection.Domain(name)
	if err != nil {
		return err
	}
	if domain != nil {
		domain.Free()
		return fmt.Errorf("libvirt has a domain of the name %s already; choose another name", name)
	}
	return nil
}

// planContent finds the units and what is private to them.
func (m *Manager) planContent(ctx context.Context, s *config.Sandbox) error {
	var units []*unitfile.Unit
	for i, name := range s.Units {
		unit, err := unitfile.Root(m.Host.Root).Find(name, s.Name)
		if err != nil {
			return field.Errorf("%s: %w", field.Units, err)
		}
		if err := config.CheckUnit(unit.Name); err != nil {
			return field.Errorf("%s %s: %w", field.Units, name, err)
		}
		s.Units[i] = unit.Name
		units = append(units, unit)
	}
	s.Units = slices.Compact(s.Units)
	private, err := privatepaths.Planner(m.Host).Plan(ctx, units, s.Packages)
	if err != nil {
		return err
	}
	s.Private = private
	if err := m.Host.CheckMounts(s); err != nil {
		return field.Errorf("%s: %w", field.Mounts, err)
	}
	return nil
}

// claimContent makes sure that the content directory is nobody's, and returns the topmost directory that is to be made.
func (m *Manager) claimContent(s *config.Sandbox) (made string, err error) {
	state, err := content.Inspect(s.Content)
	if err != nil {
		return "", err
	}
	switch state {
	case content.Creating:
		m.Warn("removing what an interrupted create left at %s", s.Content)
		if err := m.Host.Remove(s.Content); err != nil {
			return "", err
		}
	case content.Ours:
		return "", fmt.Errorf("%s has content of a sandbox whose config is gone; restore %s or run \"delete %s\" to give the content up",
			s.Content, m.Store.Path(s.Name), s.Name)
	case content.Foreign:
		return "", field.Errorf("%s exists and is not of virt-sandbox; move it away or choose another %s",
			s.Content, field.Base)
	}
	for dir := filepath.Dir(s.Content); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); err == nil || dir == "/" {
			return made, nil
		}
		made = dir
	}
}

// removeMade removes the directories that were made on the way to the content, from dir up to top. One that another
// sandbox has come to use stays.
func removeMade(dir, top string) error {
	if top == "" {
		return nil
	}
	for ; ; dir = filepath.Dir(dir) {
		err := os.Remove(dir)
		if errors.Is(err, unix.ENOTEMPTY) {
			return nil
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if dir == top || dir == "/" {
			return nil
		}
	}
}
