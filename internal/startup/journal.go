// SPDX-License-Identifier: Apache-2.0

package startup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/account"
	"github.com/virt-sandbox/virt-sandbox/internal/journalrelay"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// Journal returns what of a container's journal is to be passed on to the host's, from a time on where nothing was yet;
// nil for nothing.
func (h *Host) Journal(s *config.Sandbox, since time.Time) (*journalrelay.Source, error) {
	if s.Generic() || s.Forward == config.ForwardNo {
		return nil, nil
	}
	source := journalrelay.Source{
		Sandbox: s.Name, MachineID: s.MachineID, Readers: journalrelay.Nobody, Since: since,
	}
	if id, found := account.GroupID("", journalrelay.Readers); found {
		source.Readers = uint32(id)
	}
	if s.Forward == config.ForwardUnits {
		source.Units = h.heard(s)
	}
	file := h.Configs.States.JournalPlace(s.Name)
	var err error
	if err = os.MkdirAll(filepath.Dir(file), 0o700); err == nil {
		source.Place, err = os.OpenFile(file, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	}
	if err == nil {
		source.Content, err = os.OpenFile(s.Content, unix.O_PATH|unix.O_DIRECTORY, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("pass on the journal of %s: %w", s.Name, err)
	}
	return &source, nil
}

// heard lists the names, or patterns, by which journalctl(1) knows the units of a sandbox, and those that they start.
func (h *Host) heard(s *config.Sandbox) []string {
	names := slices.Clone(s.Units)
	if set, err := h.units(s); err == nil {
		for _, u := range set.All() {
			name, err := unitname.Parse(u.Name)
			if err != nil {
				continue
			}
			if name.IsTemplate() {
				name = name.Instantiate("*") // each connection has one
			}
			names = append(names, name.String())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
