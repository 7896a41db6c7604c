// SPDX-License-Identifier: Apache-2.0

package unitstub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// State is what lies where the stub of a sandbox would.
type State int

// The states of a sandbox's unit file.
const (
	Missing State = iota
	Own           // the stub, or a full unit for the same config
	Foreign       // a unit that is not for the config
)

// Inspect returns what lies where the stub of a sandbox would.
func (f Files) Inspect(s *config.Sandbox) (State, error) {
	text, err := os.ReadFile(f.Path(s))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Missing, nil
	case err != nil:
		return Missing, fmt.Errorf("check unit file of %s: %w", s.Name, err)
	case !units.IsOf(text, f.Store.Path(s.Name)):
		return Foreign, nil
	}
	return Own, nil
}

// Strays returns the paths of stubs of a sandbox whose config has come to name another first unit.
func (f Files) Strays(s *config.Sandbox) ([]string, error) {
	entries, err := os.ReadDir(f.Dir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("check unit files of %s: %w", s.Name, err)
	}
	var listing, strays []string
	for _, e := range entries {
		listing = append(listing, e.Name())
	}
	for _, unit := range units.FindStubs(f.Dir(), listing, s.Name, f.Store.Path(s.Name)) {
		if unit != s.HostUnit() {
			strays = append(strays, filepath.Join(f.Dir(), unit))
		}
	}
	return strays, nil
}
