// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// stateDir has the files of one machine. It is locked as long as that runs: what is not, a killed process has left.
type stateDir struct {
	path string
	lock *os.File
}

// stateBase is where the machines of this user have their directories.
func stateBase() (string, error) {
	if os.Geteuid() == 0 {
		return places.Root("").MachineBase(), nil
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "libvirt-sandbox"), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a directory for sandboxes: %w", err)
	}
	return filepath.Join(dir, "libvirt-sandbox", "run"), nil
}

var errNameTaken = errors.New("it is the name of a sandbox that runs already; choose another")

// makeStateDir makes the directory of a name, and removes those that killed processes have left.
func makeStateDir(base, name string) (*stateDir, error) {
	if err := config.CheckName(name); err != nil {
		return nil, err
	}
	if err := sweep(base); err != nil {
		return nil, err
	}
	path := filepath.Join(base, name)
	isMade := false
	for begun := time.Now(); time.Since(begun) < time.Second; {
		if err := os.MkdirAll(base, 0o755); err != nil {
			return nil, fmt.Errorf("make the directory of sandboxes: %w", err)
		}
		err := os.Mkdir(path, 0o755)
		if errors.Is(err, fs.ErrNotExist) {
			continue // Another run took the directory above away, as the last that was in it.
		}
		if errors.Is(err, fs.ErrExist) && isMade {
			// Whoever sweeps has locked the one that was made, and removes it.
			time.Sleep(time.Millisecond)
			continue
		}
		if errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("%s: %w", name, errNameTaken)
		}
		if err != nil {
			return nil, fmt.Errorf("make the directory of the sandbox: %w", err)
		}
		// Whoever sweeps at this moment may have been faster.
		lock, err := lockDir(path)
		if err != nil {
			return nil, fmt.Errorf("lock the directory of the sandbox: %w", err)
		}
		if lock != nil {
			return &stateDir{path, lock}, nil
		}
		isMade = true
	}
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%s: %w", name, errNameTaken)
	}
	return nil, fmt.Errorf("make the directory of the sandbox: %s is always taken away", path)
}

// lockDir locks a directory; nil where somebody else has it, or it has gone.
func lockDir(path string) (*os.File, error) {
	dir, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		var locked, there unix.Stat_t
		if unix.Fstat(int(dir.Fd()), &locked) == nil && unix.Lstat(path, &there) == nil && locked.Ino == there.Ino {
			return dir, nil
		}
	}
	dir.Close()
	if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
		return nil, err
	}
	return nil, nil
}

func sweep(base string) error {
	entries, err := os.ReadDir(base)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for what killed sandboxes left: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		lock, err := lockDir(filepath.Join(base, e.Name()))
		if err != nil || lock == nil {
			continue
		}
		err = (&stateDir{filepath.Join(base, e.Name()), lock}).remove()
		if err != nil {
			return fmt.Errorf("what a killed sandbox left: %w", err)
		}
	}
	return nil
}

func (d *stateDir) file(name string) string { return filepath.Join(d.path, name) }

// startedFile tells that there is a domain of the name, and libvirt's log of it.
const startedFile = "started"

// markStarted goes before the domain is made, so that its log is known for one to remove; unmark takes that back.
func (d *stateDir) markStarted() error {
	if err := os.WriteFile(d.file(startedFile), nil, 0o600); err != nil {
		return fmt.Errorf("write to the directory of the sandbox: %w", err)
	}
	return nil
}

func (d *stateDir) unmark() { _ = os.Remove(d.file(startedFile)) }

func (d *stateDir) remove() error {
	defer d.lock.Close()
	if _, err := os.Lstat(d.file(startedFile)); err == nil {
		if err := removeLogs(filepath.Base(d.path)); err != nil {
			return err
		}
	}
	// What cannot be given its label back is told once, and hinders no later sandbox.
	labelErr := d.restoreLabels()
	if err := os.RemoveAll(d.path); err != nil {
		return errors.Join(labelErr, fmt.Errorf("remove the directory of the sandbox: %w", err))
	}
	// The one above, where this was the last.
	_ = os.Remove(filepath.Dir(d.path))
	return labelErr
}

// removeLogs removes what libvirt's QEMU driver, of the system or the user, wrote down of a domain that will not come
// back.
func removeLogs(name string) error {
	dirs := []string{}
	if os.Geteuid() == 0 {
		dirs = append(dirs, "/var/log/libvirt/qemu")
	}
	if cache, err := os.UserCacheDir(); err == nil {
		dirs = append(dirs, filepath.Join(cache, "libvirt/qemu/log"))
	}
	for _, dir := range dirs {
		if err := os.Remove(filepath.Join(dir, name+".log")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove libvirt's log: %w", err)
		}
	}
	return nil
}
