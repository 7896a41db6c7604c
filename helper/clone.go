package helper

import (
	"context"
	"errors"
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// Clone makes a sandbox that is like another one, with a copy of its content, and an identity and level of its own. The
// other is not changed. When it fails, nothing stays behind; when it is killed, the next clone, create or delete of the name
// removes what it left, and the source runs on. Errors: config.ErrNotFound, ErrRunning.
func (m *Manager) Clone(ctx context.Context, o CloneOptions) (*config.Sandbox, error) {
	for _, name := range []string{o.Source, o.Name} {
		if err := config.CheckName(name); err != nil {
			return nil, err
		}
	}
	if o.Source == o.Name {
		return nil, fmt.Errorf("%s cannot be its own clone; choose another name", o.Name)
	}
	locks, err := m.lockNames(ctx, o.Source, o.Name)
	if err != nil {
		return nil, err
	}
	defer locks.Release()
	text, err := m.Store.Read(o.Source)
	if err != nil {
		return nil, err
	}
	source, err := config.Parse(m.Store.Path(o.Source), text)
	if err != nil {
		return nil, err
	}
	closed, err := m.images().OpenIfDown(ctx, source)
	if err != nil {
		return nil, err
	}
	defer closed()
	if err := m.requireContent(source); err != nil {
		return nil, err
	}
	s, err := describe.Clone(source, o)
	if err != nil {
		return nil, err
	}
	for _, warning := range describe.SharedBy(s, source) {
		m.Warn("%s", warning)
	}
	if err := m.canBe(ctx, s); err != nil {
		return nil, err
	}
	return s, m.bring(ctx, s, making{
		options: CreateOptions{Level: o.Level, Security: o.Security, Share: o.Share, FileType: s.Security.FileType},
		like:    text,
		fill: func() error {
			release, err := m.hold(ctx, source, o.Freeze)
			if err != nil {
				return err
			}
			err = m.Host.Clone(ctx, source, s, m.Progress)
			if err := errors.Join(err, release()); err != nil {
				return fmt.Errorf("clone %s: %w", source.Name, err)
			}
			return m.Host.Prepare(ctx, s, m.Progress)
		},
	})
}

// requireContent refuses a sandbox that has no content of its own, whole, to copy.
func (m *Manager) requireContent(s *config.Sandbox) error {
	found, err := m.hasContent(s)
	if err == nil && (!found || s.Created.IsZero()) {
		err = fmt.Errorf("%s has no content at %s yet; start it first", s.Name, s.Content)
	}
	return err
}

// hasContent tells whether a sandbox has content, which one that was never started need not have. That which is not its
// own, or gone, is an error.
func (m *Manager) hasContent(s *config.Sandbox) (bool, error) {
	if s.State == config.StateDeleting {
		return false, fmt.Errorf("%s is being deleted; run delete again to finish that", s.Name)
	}
	state, err := content.Inspect(s.Content)
	switch {
	case err != nil:
		return false, err
	case state == content.Absent && s.Created.IsZero():
		return false, nil
	case state == content.Absent:
		return false, fmt.Errorf("the content of %s at %s is gone; is its file system mounted?", s.Name, s.Content)
	case state == content.Foreign:
		return false, fmt.Errorf("%s is not content of virt-sandbox; correct content= in %s", s.Content, m.Store.Path(s.Name))
	}
	owner, _, err := m.ownerOf(s)
	if err == nil && owner != s.Name {
		err = m.contentIsOf(s, owner)
	}
	return err == nil, err
}

// canBe tells whether this host can have a sandbox that is described as another's copy: its name is free, the config can be
// written, and there are units, packages, and what its mounts and disks show.
func (m *Manager) canBe(ctx context.Context, s *config.Sandbox) error {
	if err := m.nameIsFree(s.Name); err != nil {
		return err
	}
	if _, err := config.Parse(m.Store.Path(s.Name), s.Text()); err != nil {
		return err
	}
	for _, unit := range s.Units {
		if _, err := unitfile.Root(m.Host.Root).Find(unit, s.Name); err != nil {
			return fmt.Errorf("%s needs %s: %w", s.Name, unit, err)
		}
	}
	if err := privatepaths.Planner(m.Host).CheckPackages(ctx, s.Packages); err != nil {
		return fmt.Errorf("%s needs it: %w", s.Name, err)
	}
	if err := describe.CheckSources(s); err != nil {
		return fmt.Errorf("%s needs it: %w", s.Name, err)
	}
	if err := m.Host.CheckMounts(s); err != nil {
		return err
	}
	if err := m.planNetwork(s); err != nil {
		return err
	}
	return m.stubs().Check(s)
}
