// SPDX-License-Identifier: Apache-2.0

package legacy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// ownFile is the later place of a config, below a directory of the sandbox's name.
const ownFile = "config/sandbox.cfg"

// Configs are the legacy configs of a store. They lie where ours do, under the same names, or each in a directory of
// its own, as later versions had it.
type Configs struct {
	Store config.Store
}

// IsConfig reports whether the text of a config is legacy.
func IsConfig(text string) bool {
	for l := range strings.Lines(text) {
		switch strings.TrimSpace(l) {
		case "[" + config.LegacySection + "]":
			return true
		case "[sandbox]":
			return false
		}
	}
	return false
}

// Path returns the place of a legacy config in the directory of its own. name must have passed config.CheckName.
func (c Configs) Path(name string) string { return filepath.Join(c.Store.Dir, name, ownFile) }

// Read returns the file and the text of a legacy config that has not become ours. Errors: config.ErrNotFound, or of
// reading.
func (c Configs) Read(name string) (file, text string, err error) {
	if err := config.CheckName(name); err != nil {
		return "", "", err
	}
	shared, err := config.ReadText(c.Store.Path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", "", fmt.Errorf("read config: %w", err)
	}
	own, ownErr := config.ReadText(c.Path(name))
	switch {
	case err == nil && !IsConfig(shared):
		return "", "", fmt.Errorf("%s: %w of the original", name, config.ErrNotFound)
	case err == nil && ownErr == nil:
		return "", "", fmt.Errorf("%s and %s are both configs of the original; move one of them away",
			c.Store.Path(name), c.Path(name))
	case err == nil:
		return c.Store.Path(name), shared, nil
	case ownErr == nil:
		return c.Path(name), own, nil
	case errors.Is(ownErr, fs.ErrNotExist):
		return "", "", fmt.Errorf("%s: %w (%s, %s)", name, config.ErrNotFound, c.Store.Path(name), c.Path(name))
	}
	return "", "", fmt.Errorf("read config: %w", ownErr)
}

// Load returns the file of a legacy config and what becomes of it. Errors: config.ErrNotFound, *config.SyntaxError, or
// of reading.
func (c Configs) Load(name string) (file string, imported *Import, err error) {
	file, text, err := c.Read(name)
	if err != nil {
		return "", nil, err
	}
	old, err := Parse(file, text)
	if err != nil {
		return "", nil, err
	}
	if old.Name != name {
		return "", nil, fmt.Errorf("%s: it is of %q; rename one of them", file, old.Name)
	}
	imported, err = old.Sandbox()
	return file, imported, err
}

// Names lists the sandboxes that have only a legacy config in a directory of its own, in alphabetical order.
func (c Configs) Names() ([]string, error) {
	entries, err := os.ReadDir(c.Store.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list configs: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() || config.CheckName(e.Name()) != nil {
			continue
		}
		_, shared := os.Lstat(c.Store.Path(e.Name()))
		if _, err := os.Lstat(c.Path(e.Name())); err == nil && errors.Is(shared, fs.ErrNotExist) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}
