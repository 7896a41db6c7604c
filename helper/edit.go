// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"github.com/virt-sandbox/virt-sandbox/internal/editing"
)

// EditError is a text that was not written. It stays in a file.
type EditError = editing.Error

// EditTarget is what is edited: the config of a sandbox, a template such as web@, or the drop-in of one.
type EditTarget = editing.Target

// Editor returns what changes configs on this host.
func (m *Manager) Editor() *editing.Editor {
	return &editing.Editor{Configs: m.Store, Reload: m.ReloadHost, Warn: m.Warn, Lock: m.lockName,
		IsUp: func(name string) bool { return m.run(name).Phase() != "" }}
}
