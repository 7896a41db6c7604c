package helper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/contentupgrade"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
)

// UpgradeOptions are what an administrator asks of upgrade.
type UpgradeOptions struct {
	contentupgrade.Options
	Units []string // of a legacy config that does not tell them
}

// Upgraded is what an upgrade did to a sandbox, or would do.
type Upgraded struct {
	Name    string           `json:"name"`
	Steps   []string         `json:"steps,omitempty"` // of turning a legacy config into ours
	Notes   []string         `json:"notes,omitempty"` // what of that config is not carried over
	Changes []content.Change `json:"changes"`
	Running bool             `json:"running"` // what runs has to be reloaded or restarted
	Error   string           `json:"error,omitempty"`
}

// Changed tells whether the upgrade changed anything.
func (u *Upgraded) Changed() bool {
	return len(u.Steps) > 0 || slices.ContainsFunc(u.Changes, func(c content.Change) bool { return c.Action.Changes() })
}

// Summary counts the changes in one line.
func (u *Upgraded) Summary() string {
	var counts []string
	if len(u.Steps) > 0 {
		counts = append(counts, "converted")
	}
	for _, action := range content.Actions() {
		n := 0
		for _, c := range u.Changes {
			if c.Action == action {
				n++
			}
		}
		if n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, action))
		}
	}
	text := u.Name + ": " + strings.Join(counts, ", ")
	if !u.Changed() {
		text = u.Name + ": up to date"
		if len(counts) > 0 {
			text += ", " + strings.Join(counts, ", ")
		}
	}
	if u.Changed() && u.Running {
		text += "; it is running: reload or restart it to use that"
	}
	return text
}

// Upgrade brings a sandbox up to date: a legacy config becomes ours, its domain goes, what new
// versions of the packages need becomes private, and the content follows the packages where nobody changed it. It can be
// killed at any point and run again. Errors: config.ErrNotFound.
func (m *Manager) Upgrade(ctx context.Context, name string, options UpgradeOptions) (*Upgraded, error) {
	result := &Upgraded{Name: name, Changes: []content.Change{}}
	return result, m.upgrade(ctx, name, options, result)
}

func (m *Manager) upgrade(ctx context.Context, name string, options UpgradeOptions, result *Upgraded) error {
	if err := config.CheckName(name); err != nil {
		return err
	}
	lock, err := m.lockName(ctx, name)
	if err != nil {
		return err
	}
	defer lock.Release()
	s, err := m.migrate(ctx, name, options, result)
	if err != nil {
		return err
	}
	migrated := s != nil
	if s == nil {
		if s, err = m.Store.Load(name); err != nil {
			return err
		}
	}
	if s.State == config.StateDeleting {
		return fmt.Errorf("%s is being deleted; run delete again to finish that", name)
	}
	if migrated || m.remains(name).HasBackup() {
		if err := m.finishMigration(ctx, s, options.DryRun, result); err != nil {
			return err
		}
	}
	if migrated && options.DryRun {
		// What of its content is the packages' is found out when it has become ours.
		return nil
	}
	return m.upgradeContent(ctx, s, options, result)
}

func (m *Manager) upgradeContent(ctx context.Context, s *config.Sandbox, options UpgradeOptions, result *Upgraded) error {
	closed, err := m.images().OpenIfDown(ctx, s)
	if err != nil {
		return err
	}
	defer closed()
	// The first start makes it, from what the packages have then.
	if found, err := m.provisioner().HasContent(s); !found || err != nil {
		return err
	}
	added, err := m.newlyPrivate(ctx, s)
	if err != nil {
		return err
	}
	result.Running = m.run(s.Name).Phase() == places.PhaseReady
	if !options.DryRun {
		// What a start that was killed left unfinished.
		if err := m.Host.Prepare(ctx, s, m.Progress); err != nil {
			return err
		}
	}
	for _, p := range added {
		result.Changes = append(result.Changes, content.Change{Path: p.Path, Action: content.ActionPrivate})
		s.Private = slices.DeleteFunc(s.Private, func(old config.PrivatePath) bool { return isWithin(old.Path, p.Path) })
		s.Private = append(s.Private, p)
	}
	changes, err := contentupgrade.Run(ctx, m.Host, s, options.Options)
	if err != nil {
		return err
	}
	renewed, err := m.Host.Renew(s, options.DryRun)
	if err != nil {
		return err
	}
	result.Changes = append(append(result.Changes, changes...), renewed...)
	if options.DryRun || len(added) == 0 {
		return nil
	}
	// Of what becomes private only the packages' files come from the host. The config is last: with it, a start would bring
	// whatever the host has there to a content that lacks it.
	bare := *s
	bare.Copy = false
	if err := m.Host.Prepare(ctx, &bare, m.Progress); err != nil {
		return err
	}
	return m.Store.Save(s)
}

// newlyPrivate gives the paths that new versions of the packages need, and that are not private yet.
func (m *Manager) newlyPrivate(ctx context.Context, s *config.Sandbox) ([]config.PrivatePath, error) {
	added, err := privatepaths.Planner(m.Host).PlanUpgrade(ctx, s)
	if errors.Is(err, privatepaths.ErrNoOwner) {
		// It was made with packages that the config does not name.
		m.Warn("cannot tell what new versions make private to %s: %v", s.Name, err)
		return nil, nil
	}
	return added, err
}

// isWithin tells whether a path lies at or below another.
func isWithin(p, top string) bool { return p == top || strings.HasPrefix(p, top+"/") }

// UpgradableNames lists the sandboxes that Upgrade can be asked for. Those that are being deleted are left out.
func (m *Manager) UpgradableNames() ([]string, error) {
	names, err := m.Store.Names()
	if err != nil {
		return nil, err
	}
	old, err := m.legacyConfigs().Names()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(append(names, old...), func(name string) bool {
		s, err := m.Store.Load(name)
		return err == nil && s.State == config.StateDeleting
	}), nil
}
