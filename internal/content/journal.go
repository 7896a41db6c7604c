// SPDX-License-Identifier: Apache-2.0

package content

import (
	"cmp"
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
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
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

// KeepJournal moves the journal of a container that is down to the host's persistent one, in the place of the link, and
// returns the directory. What the container's root put there beside journal files is left behind. It can be killed at
// any point and run again.
func (h Host) KeepJournal(s *config.Sandbox) (string, error) {
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
	err := h.keepJournal(s, copied)
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

func (h Host) keepJournal(s *config.Sandbox, dir string) error {
	tree, err := os.OpenRoot(s.Content)
	if err != nil {
		return err
	}
	defer tree.Close()
	source := "var/log/journal/" + s.MachineID
	entries, err := fs.ReadDir(tree.FS(), source)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
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
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.Contains(e.Name(), ".journal") {
			continue
		}
		if err := keepFile(tree, source+"/"+e.Name(), kept, e.Name(), group); err != nil {
			return err
		}
	}
	return nil
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

// OpenJournal opens the directory of a container's journal, without following a link that its root may have put there.
// Errors: fs.ErrNotExist.
func OpenJournal(s *config.Sandbox) (*os.File, error) {
	top, err := unix.Open(s.Content, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", &os.PathError{Op: "open", Path: s.Content, Err: err})
	}
	defer unix.Close(top)
	fd, err := filetree.OpenIn(top, "var/log/journal/"+s.MachineID)
	if fd < 0 {
		return nil, fmt.Errorf("open journal: %w", cmp.Or(err, fs.ErrNotExist))
	}
	dir := os.NewFile(uintptr(fd), "journal of "+s.Name)
	if info, err := dir.Stat(); err != nil || !info.IsDir() {
		dir.Close()
		return nil, fmt.Errorf("open journal: %w", cmp.Or(err, fs.ErrNotExist))
	}
	return dir, nil
}
