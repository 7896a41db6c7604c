// SPDX-License-Identifier: Apache-2.0

package filetree

import (
	"errors"
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

// ReadNames returns the names in a directory.
func ReadNames(dir *os.Root) ([]string, error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// Inode tells files of a machine apart, whatever their names.
type Inode struct{ Device, Number uint64 }
