// SPDX-License-Identifier: Apache-2.0

package hostetc

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
)

// name is one of a directory's, with what the directory itself tells of what has it: that saves a start more than half
// of the calls of stat, as most of /etc are links.
type name struct {
	text string
	ino  uint64
	kind uint8 // DT_LNK and the like of getdents64(2); DT_UNKNOWN where the file system does not tell
}

// readNames reads the names of an open directory, from where it was read to, in their order.
func readNames(dir *os.File) ([]name, error) {
	var names []name
	buffer := make([]byte, 32<<10)
	for {
		n, err := unix.Getdents(int(dir.Fd()), buffer)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, filetree.WithoutPath(&os.PathError{Op: "readdir", Path: dir.Name(), Err: err})
		}
		if n == 0 {
			break
		}
		names = appendNames(names, buffer[:n])
	}
	slices.SortFunc(names, func(a, b name) int { return cmp.Compare(a.text, b.text) })
	return names, nil
}

// appendNames adds those of struct linux_dirent64: a number of 8 bytes, an offset of 8, a length of 2, the kind, and a
// name that a zero byte ends.
func appendNames(names []name, records []byte) []name {
	const header = 8 + 8 + 2 + 1
	for len(records) > header {
		size := int(binary.NativeEndian.Uint16(records[16:]))
		if size <= header || size > len(records) {
			break
		}
		text, _, _ := bytes.Cut(records[header:size], []byte{0})
		if found := string(text); found != "." && found != ".." {
			names = append(names, name{found, binary.NativeEndian.Uint64(records), records[18]})
		}
		records = records[size:]
	}
	return names
}
