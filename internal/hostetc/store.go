// SPDX-License-Identifier: Apache-2.0

// Package hostetc keeps what containers see of the host's /etc: copies of what everybody may read in it, without keys
// and without the configuration of virt-sandbox and libvirt. In: the host's /etc; out: directories, each a generation,
// which are only read. A new one is made when something of /etc has changed, whole before it has its name; containers
// that are up keep theirs. A start asks for one, and check and status for which it would be now.
package hostetc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/seclabel"
)

// Base is where the generations lie. No sandbox is called so.
const Base = "/var/lib/virt-sandbox/.etc"

// label is the SELinux context of what the host gives every container to read.
const label = "system_u:object_r:container_ro_file_t:s0"

// newPrefix is that of generations that are not whole yet.
const newPrefix = ".new-"

// Store has the generations of one host.
type Store struct {
	Root string // "" for the machine itself
	Warn func(format string, args ...any)
	// InUse lists the generations that containers use.
	InUse func() ([]string, error)
}

// Dir is the directory of a generation.
func (s *Store) Dir(generation string) string { return filepath.Join(s.Root+Base, generation) }

// Current returns the name of the generation that a start would use now, whether it is there yet or not.
func (s *Store) Current() (name string, err error) {
	err = s.inEtc(func(etc *os.File) error {
		found, err := take(etc)
		if err == nil {
			name = found.name()
		}
		return err
	})
	return name, err
}

// inEtc calls f with the host's /etc, which is that of the host's mount namespace.
func (s *Store) inEtc(f func(etc *os.File) error) error {
	open := func() error {
		etc, err := os.OpenFile(s.Root+"/etc", os.O_RDONLY|unix.O_DIRECTORY, 0)
		if err != nil {
			return fmt.Errorf("open /etc: %w", err)
		}
		defer etc.Close()
		return f(etc)
	}
	if s.Root != "" {
		return open()
	}
	return namespace.InHostMounts(open)
}

// Use finds the generation of /etc as it is now, or makes it, and calls note with its name: from then on InUse must
// have it, until nobody uses it. Those that nobody uses are removed when a new one is made. It returns the directory.
func (s *Store) Use(note func(generation string) error) (dir string, err error) {
	return s.useFrom(take, note)
}

// useFrom is Use with what looks for the first time.
func (s *Store) useFrom(first func(etc *os.File) (*scan, error), note func(string) error) (dir string, err error) {
	err = s.inEtc(func(etc *os.File) error {
		dir, err = s.use(etc, first, note)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("copy what containers see of /etc: %w", err)
	}
	return dir, nil
}

func (s *Store) use(
	etc *os.File, look func(etc *os.File) (*scan, error), note func(string) error,
) (string, error) {
	if err := os.MkdirAll(s.Root+Base, 0o700); err != nil {
		return "", err
	}
	// QEMU, which is not root, passes through both to a generation. The states beside it are closed themselves.
	if err := errors.Join(os.Chmod(filepath.Dir(s.Root+Base), 0o711), os.Chmod(s.Root+Base, 0o711)); err != nil {
		return "", err
	}
	lock, err := os.Open(s.Root + Base)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	// Many look at once; one makes.
	for _, how := range []int{unix.LOCK_SH, unix.LOCK_EX} {
		if err := unix.Flock(int(lock.Fd()), how); err != nil {
			return "", fmt.Errorf("lock %s: %w", Base, err)
		}
		found, err := look(etc)
		if err != nil {
			return "", err
		}
		if _, err = os.Lstat(s.Dir(found.name())); err == nil {
			return s.Dir(found.name()), note(found.name())
		}
		look = take
	}
	name, err := s.make(etc)
	if err != nil {
		return "", err
	}
	if err := note(name); err != nil {
		return "", err
	}
	return s.Dir(name), s.removeOld(name)
}

// attempts bounds how often a copy is begun anew while /etc changes under it. The last one leaves out what changes.
const attempts = 5

// make makes a generation.
// Preconditions: the caller holds the lock alone.
func (s *Store) make(etc *os.File) (name string, err error) {
	for n := range attempts {
		if name, err = s.attempt(etc, n == attempts-1); !errors.Is(err, errChanged) {
			break
		}
	}
	return name, err
}

func (s *Store) attempt(etc *os.File, last bool) (string, error) {
	found, err := takeEntries(etc)
	if err != nil {
		return "", err
	}
	for _, p := range found.large {
		s.Warn("containers do not see /etc/%s, which has more than %d MiB", printable.Line(p), maxFile>>20)
	}
	if _, err := os.Lstat(s.Dir(found.name())); err == nil {
		return found.name(), nil
	}
	target := s.Dir(newPrefix + found.name())
	if err := filetree.RemoveAll(target); err != nil {
		return "", err
	}
	m := maker{etc, target, last}
	err = seclabel.WithCreateLabel(seclabel.Labels{Files: label}, func() error { return m.all(found) })
	if err == nil && !last {
		err = found.isStill(etc)
	}
	if err != nil {
		return "", errors.Join(err, filetree.RemoveAll(target))
	}
	return found.name(), s.finish(target, s.Dir(found.name()))
}

// finish gives a generation its name once it is on the disk: after a breakdown there is none that is not whole.
func (s *Store) finish(target, dir string) error {
	base, err := os.Open(s.Root + Base)
	if err != nil {
		return err
	}
	defer base.Close()
	if err := unix.Syncfs(int(base.Fd())); err != nil {
		return fmt.Errorf("write to the disk: %w", err)
	}
	if err := os.Rename(target, dir); err != nil {
		return err
	}
	return base.Sync()
}

// removeOld removes what nobody uses, and what makers that were killed left.
// Preconditions: the caller holds the lock alone.
func (s *Store) removeOld(current string) error {
	used, err := s.InUse()
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(s.Root + Base)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if name == current || slices.Contains(used, name) && !strings.HasPrefix(name, newPrefix) {
			continue
		}
		// Not by its name any more while it goes: a start that is killed leaves no half of one.
		going := s.Dir(newPrefix + "old")
		err := filetree.RemoveAll(going)
		if err == nil && name != filepath.Base(going) {
			err = os.Rename(s.Dir(name), going)
		}
		if err == nil {
			err = filetree.RemoveAll(going)
		}
		if err != nil {
			return fmt.Errorf("remove what no container sees any more: %w", err)
		}
	}
	return nil
}
