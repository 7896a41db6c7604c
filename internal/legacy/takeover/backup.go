// SPDX-License-Identifier: Apache-2.0

package takeover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// BackupSuffix is what legacy files are kept with when ours take their places.
const BackupSuffix = ".orig"

// LinkBackup gives a file its backup's name beside its own. One that an upgrade which was killed has linked is no
// error; another file of that name is.
func LinkBackup(file string) error {
	err := os.Link(file, file+BackupSuffix)
	if errors.Is(err, fs.ErrExist) {
		own, ownErr := os.Stat(file)
		kept, keptErr := os.Stat(file + BackupSuffix)
		if err = errors.Join(ownErr, keptErr); err == nil && !os.SameFile(own, kept) {
			err = fmt.Errorf("%s is there already; move it away", file+BackupSuffix)
		}
	}
	if err != nil {
		return fmt.Errorf("keep the original's file: %w", err)
	}
	return nil
}

// moveToBackup leaves a file only its backup's name.
func moveToBackup(file string) error {
	if err := LinkBackup(file); err != nil {
		return err
	}
	return os.Remove(file)
}

// HasBackup reports whether a legacy config of the name was kept.
func (r Remains) HasBackup() bool {
	for _, file := range []string{r.Configs.Store.Path(r.Name), r.Configs.Path(r.Name)} {
		if _, err := os.Lstat(file + BackupSuffix); err == nil {
			return true
		}
	}
	return false
}

// MoveConfig leaves the config in a directory of its own only its backup's name. Where there is none it does nothing.
func (r Remains) MoveConfig() error {
	file := r.Configs.Path(r.Name)
	if _, err := os.Lstat(file); err != nil {
		return nil
	}
	return moveToBackup(file)
}

// RemoveBackups removes the legacy files that an upgrade kept, and the directories that are empty without them.
func (r Remains) RemoveBackups() error {
	own := r.Configs.Path(r.Name) + BackupSuffix
	files := []string{
		r.Configs.Store.Path(r.Name) + BackupSuffix, own,
		filepath.Join(r.Stubs.Dir(), laterUnit(r.Name)+BackupSuffix),
	}
	instances, err := filepath.Glob(filepath.Join(r.Stubs.Dir(), unitname.Instance("*", r.Name).String()+BackupSuffix))
	if err != nil {
		return err
	}
	for _, file := range instances {
		if text, err := os.ReadFile(file); err == nil && startsLegacy(string(text), r.Name) {
			files = append(files, file)
		}
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what was kept of the original: %w", err)
		}
	}
	for dir := filepath.Dir(own); dir != r.Configs.Store.Dir; dir = filepath.Dir(dir) {
		_ = os.Remove(dir) // The administrator may have files of their own there.
	}
	return nil
}
