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
	"github.com/virt-sandbox/virt-sandbox/internal/openat"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// Journal returns what of the journal of a container that is up is to be passed on to the host's, from a time on where
// nothing was yet; nil for nothing. init is a pidfd of its first process.
func (h *Host) Journal(s *config.Sandbox, since time.Time, init *os.File) (*journalrelay.Source, error) {
	if s.Generic() || s.Forward == config.ForwardNo {
		return nil, nil
	}
	source := journalrelay.Source{
		Sandbox: s.Name, Dir: journalrelay.Kept(s.MachineID), Readers: journalrelay.Nobody, Since: since,
	}
	if id, found := account.GroupID("", journalrelay.Readers); found {
		source.Readers = uint32(id)
	}
	content := func() (*os.File, error) { return os.OpenFile(s.Content, unix.O_PATH|unix.O_DIRECTORY, 0) }
	if s.StoredByHost() {
		// What lies in memory has the owners that the user namespace gives it.
		source.Readers += uint32(s.Hardening.IDMap.Base)
		source.Dir = journalrelay.Volatile(s.MachineID)
		content = func() (*os.File, error) { return openRun(init) }
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
		source.Content, err = content()
	}
	if err != nil {
		return nil, fmt.Errorf("pass on the journal of %s: %w", s.Name, err)
	}
	return &source, nil
}

// openRun opens /run of a container.
func openRun(init *os.File) (*os.File, error) {
	root, err := os.OpenFile(proc.Host.Root(proc.PIDOf(init)), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	// Of another process, once the container has ended.
	if proc.Wait(init, 0) {
		return nil, proc.ErrNoFirst
	}
	fd, err := openat.Openat2(int(root.Fd()), "run", &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/run", Err: err}
	}
	return os.NewFile(uintptr(fd), "run"), nil
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
