// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/statefile"
	"github.com/virt-sandbox/virt-sandbox/internal/textfile"
)

// DefaultDir holds the configs; DirVariable names the environment variable that takes its place in tests and dry runs.
const (
	DefaultDir  = "/etc/libvirt-sandbox/services"
	DirVariable = "VIRT_SANDBOX_CONFIG_DIR"
	Suffix      = ".sandbox"
)

// Store has the descriptions of all sandboxes: what administrators want, in configs, and what was found or allocated
// beside that, in states. A description is both; what a config says wins.
type Store struct {
	Dir string // of the configs
	// States has a directory for each sandbox, with its state. Empty: the config has everything, as a record of one run.
	States statefile.Dir
}

// OpenStore returns the store that the environment asks for.
func OpenStore() Store {
	if dir := os.Getenv(DirVariable); dir != "" {
		return Store{dir, statefile.Dir(filepath.Join(dir, ".states"))}
	}
	return Store{DefaultDir, statefile.Default}
}

// Path returns the file of a sandbox. name must have passed CheckName.
func (s Store) Path(name string) string { return filepath.Join(s.Dir, name+Suffix) }

// Load reads one description. Errors: ErrNotFound, *SyntaxError, or of reading.
func (s Store) Load(name string) (*Sandbox, error) {
	sandbox, _, err := s.LoadText(name)
	return sandbox, err
}

// LoadText is Load that returns the text of the config too.
func (s Store) LoadText(name string) (*Sandbox, string, error) {
	text, err := s.Read(name)
	if err != nil {
		return nil, "", err
	}
	wish, err := Parse(s.Path(name), text)
	if err != nil {
		return nil, "", err
	}
	sandbox, err := s.Complete(wish)
	return sandbox, text, err
}

// ReadText reads a file as that of a config is read: only a regular one, and of a long one no more than tells that.
func ReadText(file string) (string, error) { return textfile.Read(file, maxConfigSize) }

// Read returns the text of one config, of a file that is too long its beginning. Errors: ErrNotFound, or of reading.
func (s Store) Read(name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	text, err := textfile.Read(s.Path(name), maxConfigSize)
	if errors.Is(err, fs.ErrNotExist) {
		if target, linkErr := os.Readlink(s.Path(name)); linkErr == nil {
			return "", fmt.Errorf("read config %s: it is a link to %s, which does not exist", s.Path(name), target)
		}
		return "", fmt.Errorf("%s: %w (%s)", name, ErrNotFound, s.Path(name))
	}
	if err != nil {
		return "", fmt.Errorf("read config: %w", err)
	}
	return text, nil
}

// entries reads the directory; one that does not exist is an empty one.
func (s Store) entries() ([]os.DirEntry, error) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list configs: %w", err)
	}
	return entries, nil
}

// Names lists the sandboxes that have a config file, usable or not, in alphabetical order.
func (s Store) Names() ([]string, error) {
	entries, err := s.entries()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if name, found := strings.CutSuffix(e.Name(), Suffix); found && CheckName(name) == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Save writes a description, of which nothing that can be allocated was asked for: the state, and then the config, each
// in one step. Comments of a config that is already there are kept.
func (s Store) Save(sandbox *Sandbox) error {
	text, err := textfile.Read(s.Path(sandbox.Name), maxConfigSize)
	if err != nil {
		text = ""
	}
	return s.SaveLike(sandbox, text, Given{})
}

// SaveLike is Save that keeps the comments of another text, and writes into the config what was asked for.
func (s Store) SaveLike(sandbox *Sandbox, like string, given Given) error {
	if s.States != "" {
		// The config last: without it there is no sandbox.
		if err := s.Keep(sandbox); err != nil {
			return err
		}
		sandbox = sandbox.Wish(given)
	}
	err := s.Write(sandbox.Name, sandbox.TextLike(s.Path(sandbox.Name), like))
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("refuse to write a config that could not be read again: %w", err)
	}
	return err
}

// Write writes the text of a config in one step, mode 0644, or 0600 where it has an environment, which may be secrets.
// Errors: *SyntaxError for one that cannot be used.
func (s Store) Write(name, text string) error {
	file := s.Path(name)
	sandbox, err := Parse(file, text)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if len(sandbox.Environment) > 0 {
		// A new file takes the permissions of the one that it replaces.
		mode = 0o600
		if err := os.Chmod(file, mode); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("write config: %w", err)
		}
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return fmt.Errorf("write config: %w", err)
	}
	if err := textfile.Write(file, text, mode); err != nil {
		return fmt.Errorf("write config: %w", err)
	}
	return nil
}

// Remove deletes a description; one that is not there is no error.
func (s Store) Remove(name string) error {
	if err := os.Remove(s.Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove config: %w", err)
	}
	if err := textfile.RemoveStale(s.Path(name)); err != nil {
		return fmt.Errorf("remove config: %w", err)
	}
	return s.States.Remove(name)
}
