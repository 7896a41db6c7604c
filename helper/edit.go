// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/editing"
)

// EditError is a text that was not written. It stays in a file.
type EditError = editing.Error

// Edit lets a person change the config of a sandbox: edit is called with a file that has its text. What cannot be used
// is told to again, which reports whether to edit it once more. The config is written in one step, and the host's
// systemd told. Errors: config.ErrNotFound, *EditError.
func (m *Manager) Edit(ctx context.Context, name string, edit func(file string) error, again func(error) bool) error {
	text, err := m.Store.Read(name)
	if err != nil {
		return err
	}
	take := func(file string) error { return m.takeEdited(ctx, name, file, text) }
	return editing.Session{Name: name, Text: text, Edit: edit, Take: take, Again: again}.Run()
}

// takeEdited writes the text of a file in place of the old one.
func (m *Manager) takeEdited(ctx context.Context, name, file, old string) error {
	text, err := config.ReadText(file)
	if err != nil {
		return fmt.Errorf("read the edited config: %w", err)
	}
	if text == old {
		m.Warn("nothing was changed")
		return nil
	}
	wish, err := m.Store.ParseWith(name, file, text)
	if err != nil {
		return err
	}
	lock, err := m.lockName(ctx, name)
	if err != nil {
		return err
	}
	defer lock.Release()
	now, err := m.Store.Read(name)
	if err != nil {
		return err
	}
	if now != old {
		return fmt.Errorf("%s was changed by somebody else meanwhile", m.Store.Path(name))
	}
	edited, err := m.Store.Complete(wish)
	if err != nil {
		return err
	}
	was, err := m.Store.Load(name)
	if err != nil {
		// It could not be used; what its content says remains.
		was = nil
	}
	if err := editing.KeepsIdentity(edited, was); err != nil {
		return err
	}
	if err := m.Store.Write(name, text); err != nil {
		return err
	}
	if was != nil && was.HostUnit() != edited.HostUnit() {
		m.Warn("the unit of %s is %s now, and was %s; run enable again to have it start with the host", name,
			edited.HostUnit(), was.HostUnit())
	}
	if m.run(name).Phase() != "" {
		m.Warn("%s is running: what was changed takes effect at its next start", name)
	}
	return m.ReloadHost(ctx)
}
