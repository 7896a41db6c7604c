// SPDX-License-Identifier: Apache-2.0

// Package mountpoint makes directories for a virtual machine to mount on, in a root whose owner may deny to look into
// some. In: a path, and what covers a directory. Out: a directory that is there. virt-sandbox-init calls it; it calls
// nobody.
package mountpoint

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// Make makes a directory to mount on. Where the emulator may not look into a directory on the way, as SELinux has it
// for what no machine is shown, cover puts an empty one in its place: nobody could have seen what it hides.
func Make(target string, cover func(dir string) error) error {
	err := os.MkdirAll(target, 0o755)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	for i, c := range target {
		if c != '/' || i == 0 {
			continue
		}
		next, _, _ := strings.Cut(target[i+1:], "/")
		if _, statErr := os.Lstat(target[:i] + "/" + next); errors.Is(statErr, fs.ErrPermission) {
			if err := cover(target[:i]); err != nil {
				return err
			}
			return os.MkdirAll(target, 0o755)
		}
	}
	return err
}
