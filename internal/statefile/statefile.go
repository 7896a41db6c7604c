// SPDX-License-Identifier: Apache-2.0

// Package statefile has a file for each sandbox, with what was found or allocated for it. In: the name of a sandbox,
// and a text. Out: the text. Its format is that of package config, which calls it.
package statefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/internal/account"
	"github.com/virt-sandbox/virt-sandbox/internal/textfile"
)

// Dir has a directory for each sandbox; "" has none. Names given must be those of sandboxes.
type Dir string

// Default is that of the host.
const Default Dir = "/var/lib/virt-sandbox"

// maxSize bounds what is read into memory, in bytes.
const maxSize = 1 << 20

// Path is the file of a sandbox. It does not have the name in it: where a config is renamed, the directory is too.
func (d Dir) Path(name string) string { return filepath.Join(string(d), name, "state") }

// JournalPlace is the file in which is kept how far the journal of a sandbox was passed on to the host's.
func (d Dir) JournalPlace(name string) string { return filepath.Join(string(d), name, "journal") }

// Has reports whether there is one for a sandbox.
func (d Dir) Has(name string) bool {
	if d == "" {
		return false
	}
	_, err := os.Lstat(d.Path(name))
	return err == nil
}

// With names another file of a sandbox and, where there is one, its own, for a message.
func (d Dir) With(file, name string) string {
	if d.Has(name) {
		return file + " and " + d.Path(name)
	}
	return file
}

// Names lists the sandboxes that have one; isName tells which directories can be a sandbox's.
func (d Dir) Names(isName func(string) bool) ([]string, error) {
	if d == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(string(d))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list states: %w", err)
	}
	var names []string
	for _, e := range entries {
		if isName(e.Name()) && d.Has(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Read returns the text of a sandbox; "" for none. Only root and members of account.Readers may read it: what others
// see of a sandbox is what its config says.
func (d Dir) Read(name string) (string, error) {
	if d == "" {
		return "", nil
	}
	text, err := textfile.Read(d.Path(name), maxSize)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read state: %w", err)
	}
	return text, nil
}

// Write writes the text of a sandbox in one step.
// Preconditions: the caller holds the lock on the sandbox's name.
func (d Dir) Write(name, text string) error {
	file := d.Path(name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	if err := textfile.Write(file, text, 0o600); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	for _, path := range []string{string(d), filepath.Dir(file), file} {
		if err := account.Share(path); err != nil {
			return fmt.Errorf("write state: %w", err)
		}
	}
	return nil
}

// Remove removes the directory of a sandbox; none is no error.
func (d Dir) Remove(name string) error {
	if d == "" {
		return nil
	}
	if err := os.RemoveAll(filepath.Join(string(d), name)); err != nil {
		return fmt.Errorf("remove state: %w", err)
	}
	return nil
}
