// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"

	"github.com/virt-sandbox/virt-sandbox/internal/editing"
)

// EditError is a text that was not written. It stays in a file.
type EditError = editing.Error

// EditTarget is what is edited: the config of a sandbox, a template such as web@, or the drop-in of one.
type EditTarget = editing.Target

// Edit lets a person change a config: edit is called with a file that has its text. What cannot be used is told to
// again, which reports whether to edit it once more. The config is written in one step, and the host's systemd told.
// Errors: config.ErrNotFound, *EditError.
func (m *Manager) Edit(
	ctx context.Context, target EditTarget, edit func(file string) error, again func(error) bool,
) error {
	editor := editing.Editor{
		Configs: m.Store, Reload: m.ReloadHost, Warn: m.Warn,
		IsUp: func(name string) bool { return m.run(name).Phase() != "" },
		Lock: func(ctx context.Context, name string) (func(), error) {
			lock, err := m.lockName(ctx, name)
			if err != nil {
				return nil, err
			}
			return lock.Release, nil
		},
	}
	return editor.Edit(ctx, target, edit, again)
}
