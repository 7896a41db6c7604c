// SPDX-License-Identifier: Apache-2.0

package enter

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/seclabel"
	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
)

// newPipe makes a pipe that root inside can use, and open anew by its name as shells do for /dev/stderr.
func newPipe(target Target) (read, write *os.File, err error) {
	if read, write, err = openPipe(target.Label); err != nil {
		return nil, nil, fmt.Errorf("make a pipe: %w", err)
	}
	if target.Root == 0 {
		return read, write, nil
	}
	if err := errors.Join(read.Chown(int(target.Root), -1), write.Chown(int(target.Root), -1)); err != nil {
		closeAll([]*os.File{read, write})
		return nil, nil, fmt.Errorf("make a pipe: %w", err)
	}
	return read, write, nil
}

// openPipe returns both ends of a pipe. One of pipe(2) has the label of who made it, and a person's level is of all
// categories, so that no container may write to it. Under a label, it is one with a name for a moment (fifo(7)), made
// under that of what the container writes.
func openPipe(label string) (read, write *os.File, err error) {
	if label == "" {
		return os.Pipe()
	}
	context, err := secontext.Parse(label)
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "virt-sandbox-pipe-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "pipe")
	labels := seclabel.Labels{Files: context.File("container_file_t").String()}
	if err := seclabel.WithCreateLabel(labels, func() error { return unix.Mkfifo(name, 0o600) }); err != nil {
		return nil, nil, err
	}
	// Neither end waits for the other: the first may not, and then there is one.
	if read, err = os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0); err != nil {
		return nil, nil, err
	}
	if write, err = os.OpenFile(name, os.O_WRONLY|unix.O_NONBLOCK, 0); err != nil {
		read.Close()
		return nil, nil, err
	}
	return read, write, nil
}
