// SPDX-License-Identifier: Apache-2.0

package filetree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A tree that a container writes to and that is laid over another one has marks of that (overlayfs in the kernel's
// documentation): a whiteout stands for a file of the lower tree that was deleted, and an opaque directory shows
// nothing of the lower one.
const (
	layerAttributes = "trusted.overlay."
	// OpaqueAttribute is the extended attribute of an opaque directory. Root of the host alone reads and writes it.
	OpaqueAttribute = layerAttributes + "opaque"
)

// IsLayerNote reports whether an extended attribute says something of one tree over one other, and is wrong in a copy:
// all that the kernel notes but that a directory is opaque.
func IsLayerNote(attribute string) bool {
	return strings.HasPrefix(attribute, layerAttributes) && attribute != OpaqueAttribute
}

// IsWhiteout reports whether a file stands for one that was deleted.
func IsWhiteout(s *unix.Stat_t) bool { return s.Mode&unix.S_IFMT == unix.S_IFCHR && s.Rdev == 0 }

// MakeWhiteout makes a file that stands for one that was deleted.
func MakeWhiteout(dir int, name string) error { return unix.Mknodat(dir, name, unix.S_IFCHR, 0) }

// MarkOpaque has an open directory show nothing of a lower one. A file system that cannot mark it cannot be laid over
// another one either.
func MarkOpaque(dir int) error {
	var value [1]byte
	if n, err := unix.Fgetxattr(dir, OpaqueAttribute, value[:]); err == nil && string(value[:n]) == "y" {
		return nil
	}
	if err := unix.Fsetxattr(dir, OpaqueAttribute, []byte("y"), 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
		return fmt.Errorf("mark a directory opaque: %w", err)
	}
	return nil
}

// IsMark reports whether a file is a whiteout.
func IsMark(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && IsWhiteout(&unix.Stat_t{Mode: stat.Mode, Rdev: stat.Rdev})
}

// IsDeleted reports whether an absolute path of an upper tree, or a directory above it, is a whiteout.
func IsDeleted(tree *os.Root, p string) bool {
	for p = path.Clean(p)[1:]; p != "."; p = path.Dir(p) {
		if info, err := tree.Lstat(p); err == nil {
			return IsMark(info)
		}
	}
	return false
}
