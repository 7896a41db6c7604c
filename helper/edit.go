// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"github.com/virt-sandbox/virt-sandbox/internal/editing"
)

// Editor returns what changes configs on this host.
func (m *Manager) Editor() *editing.Editor {
	return &editing.Editor{Configs: m.Store, Reload: m.ReloadHost, Warn: m.Warn, Lock: m.lockName,
		IsUp: func(name string) bool { return m.run(name).Phase() != "" }}
}
