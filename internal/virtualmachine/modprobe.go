// SPDX-License-Identifier: Apache-2.0

package virtualmachine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/guest"
)

const modprobeSetting = "/proc/sys/kernel/modprobe"

// serveModprobe has the kernel ask this program for modules that it finds it needs, such as those of a file system.
func serveModprobe() error {
	if err := os.WriteFile(modprobeSetting, []byte(guest.ModprobeFile), 0); err != nil {
		return fmt.Errorf("set what loads modules: %w", err)
	}
	return nil
}

// Modprobe is virt-sandbox-init as what the kernel executes to get a module, with the arguments of modprobe(8): it
// loads those of the initrd for the name, which is the last one. Others may be where the root's own modprobe finds
// them.
func Modprobe(args []string) error {
	if len(args) < 2 {
		return errors.New("modprobe: no module is named")
	}
	err := loadModules(args[len(args)-1])
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, program := range []string{"/sbin/modprobe", "/usr/sbin/modprobe"} {
		if err := unix.Exec(program, args, os.Environ()); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("execute %s: %w", program, err)
		}
	}
	return err
}
