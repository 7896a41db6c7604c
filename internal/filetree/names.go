// SPDX-License-Identifier: Apache-2.0

package filetree

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
)

// LabelAttribute is the extended attribute with the SELinux label of a file.
const LabelAttribute = "security.selinux"

// OwnLink names the file that a descriptor stands for, be it a symbolic link, without a name that could have been
// exchanged.
func OwnLink(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// WithoutPath takes from an error of the operating system the path, which has not been made fit for a terminal.
func WithoutPath(err error) error {
	var failure *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &failure):
		return failure.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

// Bounds for what a container can have a walk remember.
const (
	MaxNames = 100_000 // of one directory at a time
	MaxLinks = 1 << 20 // files with several names; those beyond are taken for files of their own
)

// ReadNames returns the names in a directory. Errors: one that has more than MaxNames.
func ReadNames(dir *os.Root) ([]string, error) {
	var all []string
	err := EachNames(dir, func(names []string) error {
		if all != nil {
			return fmt.Errorf("it has more than %d names", MaxNames)
		}
		all = names
		return nil
	})
	return all, err
}

// EachNames calls visit with the names in a directory, MaxNames of them at a time.
func EachNames(dir *os.Root, visit func(names []string) error) error {
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		names, err := f.Readdirnames(MaxNames)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := visit(names); err != nil {
			return err
		}
	}
}

// Inode tells files of a machine apart, whatever their names.
type Inode struct{ Device, Number uint64 }
