// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"

	"github.com/virt-sandbox/virt-sandbox/internal/upgrading"
)

// UpgradeOptions are what an administrator asks of upgrade.
type UpgradeOptions = upgrading.Options

// Upgraded is what an upgrade did to a sandbox, or would do.
type Upgraded = upgrading.Result

func (m *Manager) upgrader() *upgrading.Upgrader {
	return &upgrading.Upgrader{
		Configs: m.Store, Host: m.Host, Images: m.images(), Stubs: m.stubs(), Provisioner: m.provisioner(), Warn: m.Warn,
		Progress: m.Progress, URI: m.URI, LockName: m.lockName, WithDomain: m.withDomain, Reload: m.ReloadHost,
	}
}

// Upgrade brings a sandbox up to date: a legacy config becomes ours, its domain goes, what new versions of the packages
// need becomes private, and the content follows the packages where nobody changed it. It can be killed at any point and
// run again. Errors: config.ErrNotFound.
func (m *Manager) Upgrade(ctx context.Context, name string, options UpgradeOptions) (*Upgraded, error) {
	return m.upgrader().Upgrade(ctx, name, options)
}

// UpgradableNames lists the sandboxes that Upgrade can be asked for. Those that are being deleted are left out.
func (m *Manager) UpgradableNames() ([]string, error) { return m.upgrader().Names() }
