package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The original libvirt-sandbox had its configs where ours are, under the same name, and later each in a directory of its own.
const (
	originalSection = "api"
	originalFile    = "config/sandbox.cfg" // below the directory of the sandbox's name
)

// IsOriginal tells whether the text of a config is of the original libvirt-sandbox.
func IsOriginal(text string) bool {
	for l := range strings.Lines(text) {
		switch strings.TrimSpace(l) {
		case "[" + originalSection + "]":
			return true
		case "[sandbox]":
			return false
		}
	}
	return false
}

// OriginalError says what is to be done about a config of the original.
func OriginalError(name string) error { return fmt.Errorf(msgOriginal, name) }

// OriginalPath returns the place of a config of the original in the directory of its own.
func (s Store) OriginalPath(name string) string { return filepath.Join(s.Dir, name, originalFile) }

// ReadOriginal gives the file and the text of a config of the original that is not ours yet. Errors: ErrNotFound, or of
// reading.
func (s Store) ReadOriginal(name string) (file, text string, err error) {
	if err := CheckName(name); err != nil {
		return "", "", err
	}
	own, err := readBounded(s.Path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", "", fmt.Errorf("read config: %w", err)
	}
	later, laterErr := readBounded(s.OriginalPath(name))
	switch {
	case err == nil && !IsOriginal(own):
		return "", "", fmt.Errorf("%s: %w of the original", name, ErrNotFound)
	case err == nil && laterErr == nil:
		return "", "", fmt.Errorf("%s and %s are both configs of the original; move one of them away", s.Path(name), s.OriginalPath(name))
	case err == nil:
		return s.Path(name), own, nil
	case laterErr == nil:
		return s.OriginalPath(name), later, nil
	case errors.Is(laterErr, fs.ErrNotExist):
		return "", "", fmt.Errorf("%s: %w (%s, %s)", name, ErrNotFound, s.Path(name), s.OriginalPath(name))
	}
	return "", "", fmt.Errorf("read config: %w", laterErr)
}

// OriginalNames lists the sandboxes that have only a config of the original in a directory of its own.
func (s Store) OriginalNames() ([]string, error) {
	entries, err := s.entries()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() || CheckName(e.Name()) != nil {
			continue
		}
		_, own := os.Lstat(s.Path(e.Name()))
		if _, err := os.Lstat(s.OriginalPath(e.Name())); err == nil && errors.Is(own, fs.ErrNotExist) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}
