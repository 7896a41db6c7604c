// SPDX-License-Identifier: Apache-2.0

package account

import (
	"fmt"
	"os"
)

// Readers is the group of this machine whose members see what of sandboxes only root would: their states, and what was
// allocated to them (sysusers.d(5), packaging/sysusers.conf). There need not be one.
const Readers = "virt-sandbox"

// Share has Readers read a file, or pass through a directory. Where there is no such group, and for a caller who is not
// root, it stays as it is.
func Share(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("share with the group %s: %w", Readers, err)
	}
	defer f.Close()
	return ShareOpen(f)
}

// ShareOpen is Share for a file that is open.
func ShareOpen(f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	group, found := GroupID("", Readers)
	if !found {
		return nil
	}
	return shareWith(f, group)
}

func shareWith(f *os.File, group int) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("share with the group %s: %w", Readers, err)
	}
	mode := info.Mode().Perm() | 0o040
	if info.IsDir() {
		mode = info.Mode().Perm() | 0o010
	}
	err = f.Chown(-1, group)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err != nil {
		return fmt.Errorf("share with the group %s: %w", Readers, err)
	}
	return nil
}
