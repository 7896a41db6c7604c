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

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
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
	text, err := s.Read(name)
	if err != nil {
		return nil, err
	}
	return Parse(s.Path(name), text)
}

// ReadText reads a file as that of a config is read: only a regular one, and of a long one no more than tells that.
func ReadText(file string) (string, error) { return readBounded(file) }

// Read returns the text of one config, of a file that is too long its beginning. Errors: ErrNotFound, or of reading.
func (s Store) Read(name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	text, err := readBounded(s.Path(name))
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

// Save writes a config in one step, mode 0644; comments of a file that is already there are kept.
func (s Store) Save(sandbox *Sandbox) error {
	text, err := readBounded(s.Path(sandbox.Name))
	if err != nil {
		text = ""
	}
	return s.SaveLike(sandbox, text)
}

// SaveLike is Save that keeps the comments of another text.
func (s Store) SaveLike(sandbox *Sandbox, like string) error {
	file := s.Path(sandbox.Name)
	var old []line
	if like != "" {
		// What cannot be parsed any more has no comments worth a failed write.
		old, _ = parseLines(file, like)
	}
	text := sandbox.mergeInto(old)
	if _, err := Parse(file, text); err != nil {
		text = sandbox.Text()
	}
	err := s.Write(sandbox.Name, text)
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
	if err := s.removeStale(name); err != nil {
		return err
	}
	if err := renameio.WriteFile(file, []byte(text), mode, renameio.WithTempDir(s.Dir),
		renameio.IgnoreUmask()); err != nil {
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

// removeStale removes the temporary files of saves of name that were killed. Whoever changes a config holds its lock,
// so that none of them is in use.
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

// readBounded reads a regular file of at most maxConfigSize bytes, and one byte more of a longer one. It never waits: a
// named pipe in the directory of configs must not hold up a boot.
func readBounded(file string) (string, error) {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return "", &fs.PathError{Op: "open", Path: file, Err: err}
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return "", &fs.PathError{Op: "stat", Path: file, Err: err}
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return "", &fs.PathError{Op: "read", Path: file, Err: errNotRegular}
	}
	data := make([]byte, min(stat.Size, maxConfigSize)+1)
	length := 0
	for length < len(data) {
		n, err := unix.Read(fd, data[length:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return "", &fs.PathError{Op: "read", Path: file, Err: err}
		}
		length += n
		if length < len(data) {
			// Less than asked for: it was the end of the file.
			break
		}
	}
	return string(data[:length]), nil
}
