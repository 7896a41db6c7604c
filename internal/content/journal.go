// SPDX-License-Identifier: Apache-2.0

package content

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// linkJournal shows the container's journal to the host's journalctl: in the persistent place where the host has one,
// else in the volatile one, since making the persistent one would change how the host's own journald works.
func (h Host) linkJournal(s *config.Sandbox) error {
	dir := h.Root + "/var/log/journal"
	if _, err := os.Stat(dir); err != nil {
		dir = h.Root + "/run/log/journal"
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("link journal: %w", err)
		}
	}
	target := filepath.Join(s.Content, "var/log/journal", s.MachineID)
	link := filepath.Join(dir, s.MachineID)
	err := os.Symlink(target, link)
	if errors.Is(err, fs.ErrExist) {
		if old, readErr := os.Readlink(link); readErr != nil || old == target {
			// Its own link, or a directory: the journal that an earlier delete was asked to keep.
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("link journal: %w", err)
	}
	return nil
}

// UnlinkJournal removes the host's link to the journal below content, and no other of that name.
func (h Host) UnlinkJournal(machineID, content string) error {
	for _, dir := range []string{"/var/log/journal", "/run/log/journal"} {
		link := filepath.Join(h.Root+dir, filepath.Base(machineID))
		if target, err := os.Readlink(link); err != nil || !strings.HasPrefix(target, content+"/") {
			continue
		}
		if err := os.Remove(link); err != nil {
			return fmt.Errorf("unlink journal: %w", err)
		}
	}
	return nil
}

// UnlinkJournals removes the host's links to all that lies below content, which is about to be out of reach.
func (h Host) UnlinkJournals(content string) error {
	for _, dir := range []string{"/var/log/journal", "/run/log/journal"} {
		entries, err := os.ReadDir(h.Root + dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if e.Type() == fs.ModeSymlink {
				if err := h.UnlinkJournal(e.Name(), content); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
