package helper

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
	"github.com/virt-sandbox/virt-sandbox/internal/sandboximage"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// legacyConfigs are the legacy configs beside ours.
func (m *Manager) legacyConfigs() legacy.Configs { return legacy.Configs{Store: m.Store} }

// remains are the places where this host may have legacy files of a sandbox.
func (m *Manager) remains(name string) takeover.Remains {
	return takeover.Remains{Name: name, Configs: m.legacyConfigs(), Stubs: m.stubs()}
}

// migrate turns a legacy config into ours, if the sandbox has one, and its content into ours; nil for none. What else is
// legacy is finishMigration's. All that can be refused is refused before anything is changed.
func (m *Manager) migrate(
	ctx context.Context, name string, options UpgradeOptions, result *Upgraded,
) (*config.Sandbox, error) {
	file, imported, err := m.legacyConfigs().Load(name)
	if errors.Is(err, config.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := imported.Sandbox
	if err := m.withLegacyDomain(name, func(*virt.Domain) error { return nil }); err != nil {
		return nil, err
	}
	if err := m.planMigration(ctx, s, options.Units); err != nil {
		return nil, err
	}
	step := fmt.Sprintf("config %s (the original's is %s)", m.Store.Path(name), file+takeover.BackupSuffix)
	result.Steps = append(result.Steps, step)
	result.Notes = imported.Notes
	if options.DryRun {
		return s, nil
	}
	closed, err := m.images().OpenIfDown(ctx, s)
	if err != nil {
		return nil, err
	}
	defer closed()
	if err := takeover.AdoptContent(m.Host, s, imported.Tree); err != nil {
		return nil, sandboximage.ExplainFull(s, err)
	}
	if !s.Generic() {
		if s.Copy, err = m.Host.IsCopy(ctx, s); err != nil {
			return nil, err
		}
	}
	if err := takeover.LinkBackup(file); err != nil {
		return nil, err
	}
	s.Created = time.Now().UTC().Truncate(time.Second)
	if _, err := m.provisioner().Reconcile(ctx, s); err != nil {
		return nil, err
	}
	if err := sandboximage.Sync(s); err != nil {
		return nil, err
	}
	return s, m.Store.Save(s)
}

// planMigration finds the units of a sandbox that was legacy, and what is private to them beside what its config lists.
func (m *Manager) planMigration(ctx context.Context, s *config.Sandbox, named []string) error {
	if err := takeover.CheckContent(s); err != nil {
		return err
	}
	if s.UUID == "" {
		id := uuid.New()
		s.UUID, s.MachineID = id.String(), strings.ReplaceAll(id.String(), "-", "")
	}
	remains := m.remains(s.Name)
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
	listed := s.Private
	err = m.provisioner().PlanContent(ctx, s)
	if errors.Is(err, privatepaths.ErrNoOwner) {
		m.Warn("no package owns the units of %s; package= in its config names those whose files are to follow their updates",
			s.Name)
		err = nil
	}
	if err != nil {
		return err
	}
	takeover.KeepPrivate(s, listed)
	if err := m.provisioner().PlanNetwork(s); err != nil {
		return err
	}
	return remains.CheckUnit(s, old)
}

// finishMigration removes what is legacy beside a config that is ours now, or will be after a dry run: the config in a
// directory of its own, the unit and the domain.
func (m *Manager) finishMigration(ctx context.Context, s *config.Sandbox, dryRun bool, result *Upgraded) error {
	remains := m.remains(s.Name)
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
	for _, u := range old {
		step := fmt.Sprintf("unit %s (the original's is %s)", UnitFile(s), u.Path+takeover.BackupSuffix)
		result.Steps = append(result.Steps, step)
		if u.HasDropIns() && u.Name() != s.HostUnit() {
			note := "%s.d: what it adds to the original's unit; [unit] and [service] of %s take such lines"
			result.Notes = append(result.Notes, fmt.Sprintf(note, u.Path, m.Store.Path(s.Name)))
		}
		if dryRun {
			continue
		}
		if err := remains.ReplaceUnit(s, u); err != nil {
			return err
		}
	}
	undefined, err := m.undefineLegacy(s.Name, dryRun)
	if err != nil {
		return err
	}
	if undefined {
		result.Steps = append(result.Steps, "domain "+s.Name+" is no longer defined in libvirt; it is made at each start")
	}
	if dryRun || len(result.Steps) == 0 {
		return nil
	}
	return m.ReloadHost(ctx)
}

// undefineLegacy removes the legacy domain of a sandbox; ours exist only while they run. It reports whether there was one.
func (m *Manager) undefineLegacy(name string, dryRun bool) (found bool, err error) {
	err = m.withLegacyDomain(name, func(domain *virt.Domain) error {
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

// withLegacyDomain calls act with the legacy domain of a sandbox, if there is one. It refuses one that runs, and a domain
// of somebody else that has the name.
func (m *Manager) withLegacyDomain(name string, act func(*virt.Domain) error) error {
	connection, err := m.libvirt.Connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	domain, err := connection.Domain(name)
	if domain == nil || err != nil {
		return err
	}
	defer domain.Free()
	verdict, err := m.remains(name).Judge(domain, m.run(name).Phase() != "")
	if err != nil {
		return fmt.Errorf("look at domain %s: %w", name, err)
	}
	switch verdict {
	case takeover.Foreign:
		return fmt.Errorf("libvirt has another domain of the name %s; rename one of them", name)
	case takeover.Running:
		return fmt.Errorf("%s %w as the original's; stop it first, with its unit or virsh -c %s destroy %s",
			name, ErrRunning, m.URI, name)
	case takeover.Defined:
		return act(domain)
	}
	return nil
}
