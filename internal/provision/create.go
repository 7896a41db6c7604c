// SPDX-License-Identifier: Apache-2.0

package provision

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
	"github.com/virt-sandbox/virt-sandbox/internal/innerboot"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// Create makes content and config of a new sandbox. When it fails, or is told to stop, nothing stays behind; when it
// is killed, the next create or delete of the name removes what it left. A dry run makes nothing, and returns what is
// known before: the sandbox without what identifies it and what is allocated.
func (p *Provisioner) Create(ctx context.Context, options describe.Options) (*config.Sandbox, error) {
	s, err := p.described(options)
	if err != nil {
		return nil, err
	}
	lock, err := p.Containers.LockName(ctx, s.Name)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	given := config.GivenBy(s)
	if err := p.plan(ctx, s, options.Template != "", options.DryRun); err != nil {
		return nil, err
	}
	if options.DryRun {
		// What was allocated to see whether it can be is not what a real run gets.
		wish := s.Wish(given)
		wish.Content, wish.Private = s.Content, s.Private
		return wish, nil
	}
	how := provisionSpec{options: options, given: given}
	how.fill = func() error { return p.Host.Prepare(ctx, s, p.Progress) }
	if options.Template != "" {
		how.options.FileType, how.save = s.Security.FileType, func() error { return p.Configs.SaveInstance(s) }
	}
	return s, p.provision(ctx, s, how)
}

// described returns what is asked for, by options or by a template, and by drop-ins.
func (p *Provisioner) described(options describe.Options) (*config.Sandbox, error) {
	if options.Template != "" {
		s, err := p.Configs.Instance(options.Name)
		if err != nil {
			return nil, err
		}
		return s, describe.Instance(s)
	}
	s, err := describe.New(options)
	if err != nil {
		return nil, describe.OptionErrorOf(err)
	}
	return p.Configs.WithDropIns(s)
}

// plan completes the description of a new sandbox. hasConfig says that its config is there, and will not be written.
// What systemd would only warn about is an error of a dry run.
// Preconditions: the caller holds the lock on the sandbox's name.
func (p *Provisioner) plan(ctx context.Context, s *config.Sandbox, hasConfig, dryRun bool) error {
	if err := p.nameIsFree(s.Name); err != nil {
		return err
	}
	if err := p.PlanNetwork(s); err != nil {
		return err
	}
	if err := p.PlanContent(ctx, s); err != nil {
		return err
	}
	// In a config, no idmap= is the host's ids.
	if !hasConfig || s.Hardening.IDMap != (config.IDMap{}) {
		if err := p.chooseIDMap(s); err != nil {
			return err
		}
	}
	if err := p.Stubs.Check(s); err != nil {
		return err
	}
	if err := units.CheckDirectives(p.Configs, s.Name); err != nil && dryRun {
		return err
	} else if err != nil {
		p.Warn("%v", err)
	}
	notes, err := innerboot.Notes(unitfile.Root(p.Host.Root), s, p.Host.DeniesMounts(s))
	if err != nil {
		return err
	}
	for _, note := range notes {
		p.Warn("%s", note)
	}
	return nil
}

// nameIsFree reports whether neither a config nor a libvirt domain has the name; a libvirt that does not answer is
// found out here, before anything is made.
func (p *Provisioner) nameIsFree(name string) error {
	connection, err := p.Connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	if file := p.Configs.SourcePath(name); exists(file) {
		if s, err := p.Configs.Load(name); err == nil && s.State == config.StateDeleting {
			return fmt.Errorf("%s is being deleted; run delete again to finish that", name)
		}
		return fmt.Errorf("%s exists already (%s); choose another name or delete it first", name, file)
	}
	taken, err := connection.HasDomain(name)
	if err != nil {
		return err
	}
	if taken {
		return fmt.Errorf("libvirt has a domain of the name %s already; choose another name", name)
	}
	return nil
}

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

// PlanContent finds the units and what is private to them.
// Preconditions: the caller holds the lock on the sandbox's name.
func (p *Provisioner) PlanContent(ctx context.Context, s *config.Sandbox) error {
	set, err := p.findUnits(s)
	if err != nil {
		return err
	}
	units, err := privatepaths.Planner(p.Host).Units(ctx, set, s.Packages)
	if err != nil {
		return err
	}
	plan, err := privatepaths.Planner(p.Host).Plan(ctx, units, s.Packages)
	if err != nil {
		return err
	}
	for _, chosen := range slices.Clone(s.Private) {
		if chosen.Origin == config.OriginAdmin {
			s.Private = beside(s.Private, privatepaths.Planner(p.Host).Chosen(chosen.Path))
		}
	}
	s.Private = beside(s.Private, plan.Private)
	p.tellLeft(s, plan.Left)
	companions, err := privatepaths.Planner(p.Host).Companions(ctx, set.Wanted, s.Private)
	if err != nil {
		return err
	}
	for _, c := range companions {
		p.Warn("%s: %s starts %s too, without paths of its own such as %s; %s %s gives it them", s.Name, c.By, c.Unit,
			c.Path, field.Units, c.Unit)
	}
	if err := p.Host.CheckMounts(s); err != nil {
		return field.Errorf("%s: %w", field.Mounts, err)
	}
	return nil
}

// findUnits finds the units of a sandbox and what they start, and gives it the canonical names of those it asks for.
func (p *Provisioner) findUnits(s *config.Sandbox) (unitfile.Set, error) {
	set, err := unitfile.Root(p.Host.Root).FindAll(s.Units, s.Name, func(err error) error { return err })
	if err != nil {
		return set, field.Errorf("%s: %w", field.Units, err)
	}
	var names []string
	for _, unit := range set.Asked {
		if err := config.CheckUnit(unit.Name); err != nil {
			return set, field.Errorf("%s %s: %w", field.Units, unit.Name, err)
		}
		names = append(names, unit.Name)
	}
	s.Units = names
	return set, nil
}

// FindUnits reports which of the units that are asked for is not there.
func (p *Provisioner) FindUnits(o describe.Options) error {
	_, err := p.findUnits(&config.Sandbox{Name: o.Name, Units: o.Units})
	return err
}

// claimContent makes sure that the content directory is nobody's, and returns the topmost directory that is to be
// made.
func (p *Provisioner) claimContent(s *config.Sandbox) (made string, err error) {
	state, err := content.Inspect(s.Content)
	if err != nil {
		return "", err
	}
	switch state {
	case content.Creating:
		p.Warn("removing what an interrupted create left at %s", s.Content)
		if err := p.Host.Remove(s.Content); err != nil {
			return "", err
		}
	case content.Ours:
		return "", fmt.Errorf("%s has content of a sandbox whose config is gone; restore %s or run \"delete %s\" to give "+
			"the content up", s.Content, p.Configs.Path(s.Name), s.Name)
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
