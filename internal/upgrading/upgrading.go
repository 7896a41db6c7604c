// SPDX-License-Identifier: Apache-2.0

// Package upgrading brings sandboxes up to date with the host's packages, and turns those of the original
// libvirt-sandbox into ours. In: the name of a sandbox. Out: what was done, or would be done. It can be killed at any
// point and run again. The verb upgrade calls it.
package upgrading

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/contentupgrade"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/legacy/takeover"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
	"github.com/virt-sandbox/virt-sandbox/internal/provision"
	"github.com/virt-sandbox/virt-sandbox/internal/sandboximage"
	"github.com/virt-sandbox/virt-sandbox/internal/unitstub"
)

// Domain is a domain of libvirt's (virt.Domain).
type Domain interface {
	takeover.Domain
	Undefine() error
}

// Upgrader upgrades sandboxes. It may be used from several goroutines.
type Upgrader struct {
	Configs     config.Store
	Host        content.Host
	Images      *sandboximage.Images
	Stubs       unitstub.Files
	Provisioner *provision.Provisioner
	Progress    *filetree.Progress
	URI         string // for a message
	// LockName waits until nobody else works on a sandbox.
	LockName func(ctx context.Context, name string) (*lockfile.Lock, error)
	// WithDomain calls act with libvirt's domain of a name, running or defined, where there is one.
	WithDomain func(name string, act func(Domain) error) error
	// Reload has the host's systemd read units again.
	Reload func(ctx context.Context) error
	Warn   func(format string, args ...any)
}

// run returns the runtime directory of a sandbox.
func (u *Upgrader) run(name string) places.RunDir { return places.Root(u.Host.Root).Of(name).Run() }

// Upgrade brings a sandbox up to date: a legacy config becomes ours, its domain goes, what new versions of the packages
// need becomes private, and the content follows the packages where nobody changed it. It can be killed at any point and
// run again. Errors: config.ErrNotFound.
func (u *Upgrader) Upgrade(ctx context.Context, name string, options Options) (*Result, error) {
	result := &Result{Name: name, Changes: []content.Change{}}
	return result, u.upgrade(ctx, name, options, result)
}

func (u *Upgrader) upgrade(ctx context.Context, name string, options Options, result *Result) error {
	if err := config.CheckName(name); err != nil {
		return err
	}
	lock, err := u.LockName(ctx, name)
	if err != nil {
		return err
	}
	defer lock.Release()
	s, err := u.migrate(ctx, name, options, result)
	if err != nil {
		return err
	}
	migrated := s != nil
	if s == nil {
		if s, err = u.Configs.Load(name); err != nil {
			return err
		}
	}
	if s.State == config.StateDeleting {
		return fmt.Errorf("%s is being deleted; run delete again to finish that", name)
	}
	if migrated || u.remains(name).HasBackup() {
		if err := u.finishMigration(ctx, s, options.DryRun, result); err != nil {
			return err
		}
	}
	if migrated && options.DryRun {
		// What of its content is the packages' is found out when it has become ours.
		return nil
	}
	return u.upgradeContent(ctx, s, options, result)
}

func (u *Upgrader) upgradeContent(ctx context.Context, s *config.Sandbox, options Options, result *Result) error {
	closed, err := u.Images.OpenIfDown(ctx, s)
	if err != nil {
		return err
	}
	defer closed()
	// The first start makes it, from what the packages have then. Until then its config has only what was asked for.
	if found, err := u.Provisioner.HasContent(s); !found || err != nil {
		return err
	}
	if err := u.split(s, options.DryRun, result); err != nil {
		return err
	}
	added, err := u.newlyPrivate(ctx, s)
	if err != nil {
		return err
	}
	phase := u.run(s.Name).Phase()
	result.Running = phase == places.PhaseReady
	// In any phase a container may be up, whose root exchanges what is made while it is made. The next start does it.
	mayRun := phase != ""
	if !options.DryRun && !mayRun {
		// What a start that was killed left unfinished.
		if err := u.Host.Prepare(ctx, s, u.Progress); err != nil {
			return err
		}
	}
	for _, p := range added {
		result.Changes = append(result.Changes, content.Change{Path: p.Path, Action: content.ActionPrivate})
		s.Private = slices.DeleteFunc(s.Private, func(old config.PrivatePath) bool {
			return pathname.IsWithin(old.Path, p.Path)
		})
		s.Private = append(s.Private, p)
	}
	changes, err := contentupgrade.Run(ctx, u.Host, s, options.Options)
	if err != nil {
		return err
	}
	renewed, err := u.Host.Renew(s, options.DryRun)
	if err != nil {
		return err
	}
	result.Changes = append(append(result.Changes, changes...), renewed...)
	if err := u.run(s.Name).State().Admission.RefreshEtc(); err != nil {
		u.Warn("%s may see files of its /etc as they were until it is restarted: %v", s.Name, err)
	}
	if options.DryRun || len(added) == 0 {
		return nil
	}
	// Of what becomes private only the packages' files come from the host. The config is last: with it, a start would
	// bring whatever the host has there to a content of which nothing says that it was put.
	if mayRun {
		err = u.Host.NotePrivate(s, added)
	} else {
		bare := *s
		bare.Copy = false
		err = u.Host.Prepare(ctx, &bare, u.Progress)
	}
	if err != nil {
		return err
	}
	return u.Configs.Keep(s)
}

// split brings a config of format 1 to the present one.
func (u *Upgrader) split(s *config.Sandbox, dryRun bool, result *Result) error {
	text, err := u.Configs.Read(s.Name)
	if err != nil || !config.IsOfFormat1(text) {
		// Of a dry run, a legacy sandbox has none yet.
		return nil
	}
	result.Steps = append(result.Steps, fmt.Sprintf("config %s (what was allocated goes to %s)", u.Configs.Path(s.Name),
		u.Configs.States.Path(s.Name)))
	if dryRun {
		return nil
	}
	return u.Provisioner.Split(s)
}

// newlyPrivate returns the paths that new versions of the packages need, and that are not private yet.
func (u *Upgrader) newlyPrivate(ctx context.Context, s *config.Sandbox) ([]config.PrivatePath, error) {
	added, err := privatepaths.Planner(u.Host).PlanUpgrade(ctx, s)
	var unfinished *pkgdb.UnfinishedError
	if errors.Is(err, privatepaths.ErrNoOwner) || errors.As(err, &unfinished) {
		// It was made with packages that the config does not name, or the package manager is at work, which may be why
		// this runs at all.
		u.Warn("cannot tell what new versions make private to %s: %v", s.Name, err)
		return nil, nil
	}
	return added, err
}

// Names lists the sandboxes that Upgrade can be asked for. Those that are being deleted are left out.
func (u *Upgrader) Names() ([]string, error) {
	names, err := u.Configs.Names()
	if err != nil {
		return nil, err
	}
	old, err := u.legacyConfigs().Names()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(append(names, old...), func(name string) bool {
		s, err := u.Configs.Load(name)
		return err == nil && s.State == config.StateDeleting
	}), nil
}
