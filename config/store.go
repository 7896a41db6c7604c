package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

// DefaultDir holds the configs; DirVariable names the environment variable that takes its place in tests and dry runs.
const (
	DefaultDir  = "/etc/libvirt-sandbox/services"
	DirVariable = "VIRT_SANDBOX_CONFIG_DIR"
	Suffix      = ".sandbox"
)

// Store is the directory of configs.
type Store struct {
	Dir string
}

// OpenStore returns the store that the environment asks for.
func OpenStore() Store {
	if dir := os.Getenv(DirVariable); dir != "" {
		return Store{dir}
	}
	return Store{DefaultDir}
}

// Path returns the file of a sandbox. name must have passed CheckName.
func (s Store) Path(name string) string { return filepath.Join(s.Dir, name+Suffix) }

// Load reads one config. Errors: ErrNotFound, *SyntaxError, or of reading.
func (s Store) Load(name string) (*Sandbox, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	text, err := readBounded(s.Path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w (%s)", name, ErrNotFound, s.Path(name))
	}
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	return Parse(s.Path(name), text)
}

// Names lists the sandboxes that have a config file, usable or not, in alphabetical order.
func (s Store) Names() ([]string, error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list configs: %w", err)
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

// Save writes a config in one step, mode 0644; comments of a file that is already there are kept.
func (s Store) Save(sandbox *Sandbox) error {
	file := s.Path(sandbox.Name)
	var old []line
	if text, err := readBounded(file); err == nil {
		// A file that cannot be parsed any more has no comments worth a failed write.
		old, _ = parseLines(file, text)
	}
	text := sandbox.mergeInto(old)
	if _, err := Parse(file, text); err != nil {
		text = sandbox.Text()
	}
	if _, err := Parse(file, text); err != nil {
		return fmt.Errorf("refuse to write a config that could not be read again: %w", err)
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return fmt.Errorf("write config: %w", err)
	}
	if err := s.removeStale(sandbox.Name); err != nil {
		return err
	}
	if err := renameio.WriteFile(file, []byte(text), 0o644, renameio.WithTempDir(s.Dir), renameio.IgnoreUmask()); err != nil {
		return fmt.Errorf("write config: %w", err)
	}
	return nil
}

// Remove deletes a config; one that is not there is no error.
func (s Store) Remove(name string) error {
	if err := os.Remove(s.Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove config: %w", err)
	}
	return s.removeStale(name)
}

// removeStale removes the temporary files of saves of name that were killed. Whoever changes a config holds its lock, so
// that none of them is in use.
func (s Store) removeStale(name string) error {
	entries, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list configs: %w", err)
	}
	for _, e := range entries {
		digits, found := strings.CutPrefix(e.Name(), "."+name+Suffix)
		if !found || digits == "" || strings.Trim(digits, "0123456789") != "" || !e.Type().IsRegular() {
			continue
		}
		if err := os.Remove(filepath.Join(s.Dir, e.Name())); err != nil {
			return fmt.Errorf("remove what an interrupted write left: %w", err)
		}
	}
	return nil
}

func readBounded(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfigSize+1))
	return string(data), err
}
