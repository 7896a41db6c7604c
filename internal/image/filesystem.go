// SPDX-License-Identifier: Apache-2.0

package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// kind is a type of file system that may be mounted from an image. The kernel knows many more, which few have looked at
// with a hostile image in mind.
type kind struct {
	name    string // mount(2)'s
	offset  int64
	magic   []byte
	options []string
}

func kinds() []kind {
	return []kind{
		// The superblock of a hostile image could ask for a panic of the kernel when it is found damaged.
		{"ext4", 0x438, []byte{0x53, 0xef}, []string{"errors=remount-ro", "discard"}},
		// A copy has the same UUID, and may be mounted at the same time.
		{"xfs", 0, []byte("XFSB"), []string{"nouuid", "discard"}},
		{"btrfs", 0x10040, []byte("_BHRfS_M"), nil},
	}
}

// probe finds out what is in a block device.
func probe(device io.ReaderAt) (*kind, error) {
	for _, k := range kinds() {
		found := make([]byte, len(k.magic))
		_, err := device.ReadAt(found, k.offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if err == nil && bytes.Equal(found, k.magic) {
			return &k, nil
		}
	}
	return nil, errors.New("it has no ext4, XFS or Btrfs file system; partitions and other file systems are not mounted")
}

// Flags of the mounts of images: neither device nodes nor set-user-ID programs of a container count for anybody who
// finds them on the host. Programs may be executed, as services have some below /var and /srv.
const mountFlags = unix.MS_NODEV | unix.MS_NOSUID

// mountFrom mounts the file system of a device; context is the SELinux context of all files, "" where they have their
// own.
func mountFrom(device *os.File, target, context string) error {
	k, err := probe(device)
	if err != nil {
		return err
	}
	options := slices.Clone(k.options)
	if context != "" {
		options = append(options, `context="`+context+`"`)
	}
	err = unix.Mount(device.Name(), target, k.name, mountFlags, strings.Join(options, ","))
	switch {
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EUCLEAN), errors.Is(err, unix.EIO), errors.Is(err, unix.EBADMSG):
		return fmt.Errorf("mount its %s file system: %w; it may be damaged, which fsck.%s can tell", k.name, err, k.name)
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf("the kernel cannot mount its %s file system", k.name)
	case err != nil:
		return fmt.Errorf("mount its %s file system: %w", k.name, err)
	}
	return nil
}
