// SPDX-License-Identifier: Apache-2.0

package upgrading

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/legacy"
	"github.com/virt-sandbox/virt-sandbox/internal/legacy/takeover"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
	"github.com/virt-sandbox/virt-sandbox/internal/provision"
	"github.com/virt-sandbox/virt-sandbox/internal/sandboximage"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// legacyConfigs are the legacy configs beside ours.
func (u *Upgrader) legacyConfigs() legacy.Configs { return legacy.Configs{Store: u.Configs} }

// remains are the places where this host may have legacy files of a sandbox.
func (u *Upgrader) remains(name string) takeover.Remains {
	return takeover.Remains{Name: name, Configs: u.legacyConfigs(), Stubs: u.Stubs}
}

// migrate turns a legacy config into ours, if the sandbox has one, and its content into ours; nil for none. What else
// is legacy is finishMigration's. All that can be refused is refused before anything is changed.
func (u *Upgrader) migrate(
	ctx context.Context, name string, options Options, result *Result,
) (*config.Sandbox, error) {
	file, imported, err := u.legacyConfigs().Load(name)
	if errors.Is(err, config.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := imported.Sandbox
	given := config.GivenBy(s)
	if err := u.withLegacyDomain(name, func(Domain) error { return nil }); err != nil {
		return nil, err
	}
	if err := u.planMigration(ctx, s, options.Units); err != nil {
		return nil, err
	}
	step := fmt.Sprintf("config %s (the original's is %s)", u.Configs.Path(name), file+takeover.BackupSuffix)
	result.Steps = append(result.Steps, step)
	result.Notes = imported.Notes
	if options.DryRun {
		return s, nil
	}
	closed, err := u.Images.OpenIfDown(ctx, s)
	if err != nil {
		return nil, err
	}
	defer closed()
	if err := takeover.AdoptContent(u.Host, s, imported.Tree); err != nil {
		return nil, sandboximage.ExplainFull(s, err)
	}
	if !s.Generic() {
		if s.Copy, err = u.Host.IsCopy(ctx, s); err != nil {
			return nil, err
		}
	}
	if err := takeover.LinkBackup(file); err != nil {
		return nil, err
	}
	s.Created = time.Now().UTC().Truncate(time.Second)
	if _, err := u.Provisioner.Reconcile(ctx, s); err != nil {
		return nil, err
	}
	if err := sandboximage.Sync(s); err != nil {
		return nil, err
	}
	return s, u.Configs.SaveLike(s, "", given)
}

// planMigration finds the units of a sandbox that was legacy, and what is private to them beside what its config lists.
func (u *Upgrader) planMigration(ctx context.Context, s *config.Sandbox, named []string) error {
	if err := takeover.CheckContent(s); err != nil {
		return err
	}
	if s.UUID == "" {
		id := uuid.New()
		s.UUID, s.MachineID = id.String(), strings.ReplaceAll(id.String(), "-", "")
	}
	remains := u.remains(s.Name)
	old, err := remains.Units()
	if err != nil {
		return err
	}
	if !s.Generic() {
		s.Units = named
		if len(s.Units) == 0 {
			s.Units = takeover.InnerUnits(old)
		}
		if len(s.Units) == 0 {
			return field.Errorf("cannot tell which units %s runs, since the original's unit file is gone; name them with %s, "+
				"as %s/etc/systemd/system/multi-user.target.wants has them", s.Name, field.Units, s.Content)
		}
	}
	err = u.Provisioner.PlanContent(ctx, s)
	if errors.Is(err, privatepaths.ErrNoOwner) {
		u.Warn("no package owns the units of %s; package= in its config names those whose files are to follow their updates",
			s.Name)
		err = nil
	}
	if err != nil {
		return err
	}
	if err := u.Provisioner.PlanNetwork(s); err != nil {
		return err
	}
	return remains.CheckUnit(s, old)
}

// finishMigration removes what is legacy beside a config that is ours now, or will be after a dry run: the config in a
// directory of its own, the unit and the domain.
func (u *Upgrader) finishMigration(ctx context.Context, s *config.Sandbox, dryRun bool, result *Result) error {
	remains := u.remains(s.Name)
	if !dryRun {
		if err := takeover.FinishContent(s); err != nil {
			return err
		}
		if err := remains.MoveConfig(); err != nil {
			return err
		}
	}
	old, err := remains.Units()
	if err != nil {
		return err
	}
	for _, unit := range old {
		step := fmt.Sprintf("unit %s (the original's is %s)", u.Stubs.Path(s), unit.Path+takeover.BackupSuffix)
		result.Steps = append(result.Steps, step)
		if unit.HasDropIns() && unit.Name() != s.HostUnit() {
			note := "%s.d: what it adds to the original's unit; [unit] and [service] of %s take such lines"
			result.Notes = append(result.Notes, fmt.Sprintf(note, unit.Path, u.Configs.Path(s.Name)))
		}
		if dryRun {
			continue
		}
		if err := remains.ReplaceUnit(s, unit); err != nil {
			return err
		}
	}
	undefined, err := u.undefineLegacy(s.Name, dryRun)
	if err != nil {
		return err
	}
	if undefined {
		result.Steps = append(result.Steps, "domain "+s.Name+" is no longer defined in libvirt; it is made at each start")
	}
	if dryRun || len(result.Steps) == 0 {
		return nil
	}
	return u.Reload(ctx)
}

// undefineLegacy removes the legacy domain of a sandbox; ours exist only while they run. It reports whether there was
// one.
func (u *Upgrader) undefineLegacy(name string, dryRun bool) (found bool, err error) {
	err = u.withLegacyDomain(name, func(domain Domain) error {
		found = true
		if dryRun {
			return nil
		}
		if err := domain.Undefine(); err != nil && !errors.Is(err, virt.ErrNoDomain) {
			return err
		}
		return nil
	})
	return found, err
}

// withLegacyDomain calls act with the legacy domain of a sandbox, if there is one. It refuses one that runs, and a
// domain of somebody else that has the name.
func (u *Upgrader) withLegacyDomain(name string, act func(Domain) error) error {
	return u.WithDomain(name, func(domain Domain) error {
		verdict, err := u.remains(name).Judge(domain, u.run(name).Phase() != "")
		if err != nil {
			return fmt.Errorf("look at domain %s: %w", name, err)
		}
		switch verdict {
		case takeover.Foreign:
			return fmt.Errorf("libvirt has another domain of the name %s; rename one of them", name)
		case takeover.Running:
			return fmt.Errorf("%s %w as the original's; stop it first, with its unit or virsh -c %s destroy %s",
				name, provision.ErrRunning, u.URI, name)
		case takeover.Defined:
			return act(domain)
		}
		return nil
	})
}
