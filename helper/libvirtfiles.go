package helper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Places where libvirt's LXC driver keeps files of each domain, and leaves some of them when it has ended.
const (
	libvirtState = "/run/libvirt/lxc"
	libvirtLogs  = "/var/log/libvirt/lxc"
)

// removeMountPoints removes the directories that libvirt's controller mounted things on, and its socket. What is still
// in use stays.
func removeMountPoints(name string) error {
	for _, suffix := range []string{".dev", ".devpts", ".fuse"} {
		err := unix.Rmdir(filepath.Join(libvirtState, name+suffix))
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOTEMPTY) {
			return fmt.Errorf("remove what libvirt left in %s: %w", libvirtState, err)
		}
	}
	if err := os.Remove(filepath.Join(libvirtState, name+".sock")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove what libvirt left: %w", err)
	}
	return nil
}

// removeLog removes libvirt's log of a domain that will not come back.
func removeLog(name string) error {
	if err := os.Remove(filepath.Join(libvirtLogs, name+".log")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove libvirt's log: %w", err)
	}
	return nil
}
