// SPDX-License-Identifier: Apache-2.0

// Package contentjournal reads and keeps the journals that lie in contents, which root of a container can have made
// anything. In: content; out: its journal, opened or moved to the host's. delete and logs call it.
package contentjournal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/account"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/journalrelay"
)

// Keep moves the journal of a container that is down to the host's persistent one, in the place of the link, and
// returns the directory. What the container's root put there beside journal files is left behind. It can be killed at
// any point and run again.
func Keep(h content.Host, s *config.Sandbox) (string, error) {
	if _, err := os.Stat(h.Root + "/var/log/journal"); err != nil {
		return "", fmt.Errorf("keep journal: the host has no persistent journal (%w); copy %s/var/log/journal away",
			err, s.Content)
	}
	dir := filepath.Join(h.Root+"/var/log/journal", s.MachineID)
	// journalctl reads no directory of such a name.
	copied := dir + ".virt-sandbox"
	if err := os.RemoveAll(copied); err != nil {
		return "", fmt.Errorf("keep journal: %w", err)
	}
	err := keep(h, s, copied)
	if err == nil {
		err = h.UnlinkJournal(s.MachineID, s.Content)
	}
	if err == nil {
		err = moveInto(copied, dir)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("keep journal in %s: %w", dir, err), os.RemoveAll(copied))
	}
	return dir, nil
}

// moveInto renames a directory, or its files where an earlier run has made the new one already.
func moveInto(from, to string) error {
	if info, err := os.Lstat(to); err != nil || !info.IsDir() {
		return os.Rename(from, to)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return os.Remove(from)
}

func keep(h content.Host, s *config.Sandbox, dir string) error {
	tree, err := os.OpenRoot(s.Content)
	if err != nil {
		return err
	}
	defer tree.Close()
	source := "var/log/journal/" + s.MachineID
	names, err := journalFiles(tree, source)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	kept, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer kept.Close()
	group := -1
	if gid, found := account.GroupID(h.Root, "systemd-journal"); found {
		group = gid
	}
	for _, name := range names {
		if err := keepFile(tree, source+"/"+name, kept, name, group); err != nil {
			return err
		}
	}
	return nil
}

// Bounds of what is kept: journald has 100 files of each user by default, and root inside as many names as it likes.
const (
	maxFiles = 10_000
	maxNames = 1_000_000 // that are looked at
)

// journalFiles lists what can be journal files in a directory.
func journalFiles(tree *os.Root, dir string) (names []string, err error) {
	f, err := tree.OpenFile(dir, os.O_RDONLY|unix.O_NONBLOCK|unix.O_DIRECTORY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for looked := 0; looked < maxNames && len(names) < maxFiles; {
		entries, err := f.ReadDir(1000)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		looked += len(entries)
		for _, e := range entries {
			if e.Type().IsRegular() && strings.Contains(e.Name(), ".journal") {
				names = append(names, e.Name())
			}
		}
	}
	return names[:min(len(names), maxFiles)], nil
}

// maxHole bounds what a journal file may have in holes: journald allocates its files. A larger one could fill the host.
const maxHole = 16 << 20

// keepFile copies one journal file, for journalctl's readers and nobody else.
func keepFile(from *os.Root, source string, to *os.Root, name string, group int) error {
	in, err := from.OpenFile(source, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	if stat := info.Sys().(*syscall.Stat_t); stat.Size > stat.Blocks*512+maxHole {
		return nil
	}
	out, err := to.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o640)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := out.Chown(0, group); err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

// Open opens the directory of a container's journal, without following a link that its root may have put there.
// Errors: fs.ErrNotExist.
func Open(s *config.Sandbox) (*os.File, error) {
	top, err := os.OpenFile(s.Content, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	defer top.Close()
	return journalrelay.Open(top, journalrelay.Kept(s.MachineID))
}
