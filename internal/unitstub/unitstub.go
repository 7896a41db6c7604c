// SPDX-License-Identifier: Apache-2.0

// Package unitstub keeps the stub unit files of sandboxes: the files by which systemctl enable works, and which the
// generator completes. In: a root directory, the store of configs, and a sandbox or its name. Out: files in the
// directory of the administrator's units, whose own units it refuses to touch. The verbs of package helper call it,
// under the lock of the sandbox's name; it does not tell systemd.
package unitstub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// Files are the stub unit files of a host.
type Files struct {
	Root  string       // the directory below which units.Dir lies; "" is the host's own
	Store config.Store // of the configs that the stubs name
}

// Dir is where the stubs lie, among the administrator's units.
func (f Files) Dir() string { return f.Root + units.Dir }

// Path is where the stub of a sandbox lies.
func (f Files) Path(s *config.Sandbox) string { return filepath.Join(f.Dir(), s.HostUnit()) }

// Check refuses a unit of the administrator's that has the name which a sandbox's would have.
func (f Files) Check(s *config.Sandbox) error {
	text, err := os.ReadFile(f.Path(s))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look for a unit of the name: %w", err)
	case !units.IsStub(text, f.Store.Path(s.Name)):
		return fmt.Errorf("%s exists and is not of virt-sandbox; choose another name or move it away", f.Path(s))
	}
	return nil
}

// Write writes the stub of a sandbox. Errors: those of Check, or of writing.
func (f Files) Write(s *config.Sandbox) error {
	if err := f.Check(s); err != nil {
		return err
	}
	return f.Replace(s)
}

// Replace writes the stub of a sandbox in the place of whatever has the name.
func (f Files) Replace(s *config.Sandbox) error {
	if err := os.MkdirAll(f.Dir(), 0o755); err != nil {
		return fmt.Errorf("write unit file: %w", err)
	}
	text := units.Stub(s, units.Paths{Config: f.Store.Path(s.Name)})
	err := renameio.WriteFile(f.Path(s), text, 0o644, renameio.WithTempDir(f.Dir()), renameio.IgnoreUmask())
	if err != nil {
		return fmt.Errorf("write unit file: %w", err)
	}
	return nil
}

// Renew gives a sandbox the stub that create would have made, for a config that came another way or has come to name
// another first unit. A unit file of the config's that is there stays: it may have been edited, or be a full unit that
// systemctl edit --full made.
func (f Files) Renew(s *config.Sandbox) error {
	if text, err := os.ReadFile(f.Path(s)); err == nil && units.IsOf(text, f.Store.Path(s.Name)) {
		return nil
	}
	if err := f.Check(s); err != nil {
		return err
	}
	if err := f.Remove(s.Name); err != nil {
		return err
	}
	return f.Write(s)
}

// Enable has the host's multi-user.target want the unit of a sandbox, as systemctl enable does.
func (f Files) Enable(s *config.Sandbox) error {
	wants := filepath.Join(f.Dir(), units.Target+".wants")
	if err := os.MkdirAll(wants, 0o755); err != nil {
		return fmt.Errorf("enable %s: %w", s.HostUnit(), err)
	}
	err := os.Symlink(filepath.Join(units.Dir, s.HostUnit()), filepath.Join(wants, s.HostUnit()))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("enable %s: %w", s.HostUnit(), err)
	}
	return nil
}
