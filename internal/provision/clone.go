// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"context"
	"errors"
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// Clone makes a sandbox that is like another one, with a copy of its content, and an identity and level of its own.
// The other is not changed. When it fails, nothing stays behind; when it is killed, the next clone, create or delete
// of the name removes what it left, and the source runs on. Errors: config.ErrNotFound, ErrRunning.
func (p *Provisioner) Clone(ctx context.Context, o describe.CloneOptions) (*config.Sandbox, error) {
	for _, name := range []string{o.Source, o.Name} {
		if err := config.CheckName(name); err != nil {
			return nil, err
		}
	}
	if o.Source == o.Name {
		return nil, fmt.Errorf("%s cannot be its own clone; choose another name", o.Name)
	}
	locks, err := p.Containers.LockNames(ctx, o.Source, o.Name)
	if err != nil {
		return nil, err
	}
	defer locks.Release()
	source, text, err := p.Configs.LoadText(o.Source)
	if err != nil {
		return nil, err
	}
	closed, err := p.Images.OpenIfDown(ctx, source)
	if err != nil {
		return nil, err
	}
	defer closed()
	if err := p.requireContent(source); err != nil {
		return nil, err
	}
	s, err := describe.Clone(source, o)
	if err != nil {
		return nil, err
	}
	if s, err = p.Configs.WithDropIns(s); err != nil {
		return nil, err
	}
	given := config.GivenBy(s)
	for _, warning := range describe.SharedBy(s, source) {
		p.Warn("%s", warning)
	}
	if err := p.checkPrerequisites(ctx, s); err != nil {
		return nil, err
	}
	return s, p.provision(ctx, s, provisionSpec{
		options: describe.Options{Level: o.Level, Security: o.Security, Share: o.Share, FileType: s.Security.FileType},
		like:    text,
		given:   given,
		fill: func() error {
			release, err := p.Containers.Hold(ctx, source, o.Freeze)
			if err != nil {
				return err
			}
			err = p.Host.Clone(ctx, source, s, p.Progress)
			if err := errors.Join(err, release()); err != nil {
				return fmt.Errorf("clone %s: %w", source.Name, err)
			}
			return p.Host.Prepare(ctx, s, p.Progress)
		},
	})
}

// checkPrerequisites reports whether this host can have a sandbox that is described as another's copy: its name is
// free, the config can be written, and there are units, packages, and what its mounts and disks show.
func (p *Provisioner) checkPrerequisites(ctx context.Context, s *config.Sandbox) error {
	if err := p.nameIsFree(s.Name); err != nil {
		return err
	}
	if _, err := config.Parse(p.Configs.Path(s.Name), s.Text()); err != nil {
		return err
	}
	for _, unit := range s.Units {
		if _, err := unitfile.Root(p.Host.Root).Find(unit, s.Name); err != nil {
			return fmt.Errorf("%s needs %s: %w", s.Name, unit, err)
		}
	}
	if err := privatepaths.Planner(p.Host).CheckPackages(ctx, s.Packages); err != nil {
		return fmt.Errorf("%s needs it: %w", s.Name, err)
	}
	if err := describe.CheckSources(s); err != nil {
		return fmt.Errorf("%s needs it: %w", s.Name, err)
	}
	if err := p.Host.CheckMounts(s); err != nil {
		return err
	}
	if err := p.PlanNetwork(s); err != nil {
		return err
	}
	return p.Stubs.Check(s)
}
