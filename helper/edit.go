package helper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
)

// EditError is a text that was not written. It stays in a file.
type EditError struct {
	File string // the text as it was edited
	Err  error
}

func (e *EditError) Error() string {
	return fmt.Sprintf("%v; the config is as it was, and your text is in %s", e.Err, e.File)
}

// Unwrap gives what was wrong.
func (e *EditError) Unwrap() error { return e.Err }

// Edit lets a person change the config of a sandbox: edit is called with a file that has its text. What cannot be used is told to
// again, which says whether to edit it once more. The config is written in one step, and the host's systemd told.
// Errors: config.ErrNotFound, *EditError.
func (m *Manager) Edit(ctx context.Context, name string, edit func(file string) error, again func(error) bool) error {
	text, err := m.Store.Read(name)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "virt-sandbox-edit-")
	if err != nil {
		return fmt.Errorf("edit config: %w", err)
	}
	// Named as the config is, for editors go by that and messages name it.
	file := filepath.Join(dir, name+config.Suffix)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return errors.Join(fmt.Errorf("edit config: %w", err), os.RemoveAll(dir))
	}
	for {
		err := edit(file)
		if err == nil {
			err = m.takeEdited(ctx, name, file, text)
		}
		if err == nil {
			return os.RemoveAll(dir)
		}
		if !again(err) {
			if now, readErr := config.ReadText(file); readErr == nil && now == text {
				return errors.Join(err, os.RemoveAll(dir))
			}
			return &EditError{file, err}
		}
	}
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
	edited, err := config.Parse(file, text)
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
	was, err := config.Parse(m.Store.Path(name), old)
	if err != nil {
		// It could not be used; what its content says remains.
		was = nil
	}
	if err := m.keepsIdentity(edited, was); err != nil {
		return err
	}
	if err := m.Store.Write(name, text); err != nil {
		return err
	}
	if was != nil && was.HostUnit() != edited.HostUnit() {
		m.Warn("the unit of %s is %s now, and was %s; run enable again to have it start with the host", name, edited.HostUnit(), was.HostUnit())
	}
	if m.run(name).Phase() != "" {
		m.Warn("%s is running: what was changed takes effect at its next start", name)
	}
	return m.ReloadHost(ctx)
}

// keepsIdentity refuses a config that would make another sandbox of one.
func (m *Manager) keepsIdentity(edited, was *config.Sandbox) error {
	if was == nil {
		id, err := content.ReadIdentity(edited.Content)
		if err != nil || id == nil || id.Name != edited.Name {
			return nil
		}
		was = &config.Sandbox{Name: id.Name, UUID: id.UUID, MachineID: id.MachineID, State: edited.State}
	}
	for _, key := range []struct{ name, was, is string }{
		{"name", was.Name, edited.Name}, {"uuid", was.UUID, edited.UUID}, {"machine-id", was.MachineID, edited.MachineID},
		{"state", string(was.State), string(edited.State)},
	} {
		if key.was != "" && key.was != key.is || key.name == "state" && key.was != key.is {
			return fmt.Errorf("%s= cannot be changed, from %q to %q; clone makes another sandbox of this one", key.name, key.was, key.is)
		}
	}
	return nil
}
