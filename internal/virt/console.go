// SPDX-License-Identifier: Apache-2.0

package virt

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// OpenConsole opens the terminal that libvirt joined to the container's console. It can have read deadlines.
func (d *Domain) OpenConsole() (*os.File, error) {
	path, err := d.ConsolePath()
	if err != nil {
		return nil, err
	}
	console, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open console: %w", err)
	}
	return console, nil
}
