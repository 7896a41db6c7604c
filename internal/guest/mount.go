// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// readMounts returns the mounts that this thread sees: of several at a place, the last lies on top.
func readMounts() ([]*mountinfo.Info, error) {
	mounts, err := mountinfo.GetMounts(nil)
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	return mounts, nil
}

// MakeReadOnly does so with the mount at a path, and not with those below.
func MakeReadOnly(point string) error {
	attributes := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	return unix.MountSetattr(unix.AT_FDCWD, point, unix.AT_SYMLINK_NOFOLLOW, &attributes)
}

// muteGenerators keeps systemd's generators that read the host's configuration from making units of it.
func muteGenerators() error {
	const dir = "/run/systemd/system-generators"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("mute generators: %w", err)
	}
	for _, name := range []string{"systemd-sysv-generator", "systemd-rc-local-generator", "systemd-getty-generator",
		"netplan", "lvm2-activation-generator",
		"virt-sandbox-service-generator"} {
		if err := os.Symlink("/dev/null", filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("mute generators: %w", err)
		}
	}
	return nil
}

// shareMounts has what one namespace inside mounts be seen in the others, where the payload may mount: systemd mounts
// the credentials of a unit from a namespace of their own, and makes mounts shared only where it is not in a container
// (systemd.io, CONTAINER_INTERFACE). The host sees nothing of it: its mounts are passed on to the container, and not
// back. A payload with an SELinux context of its own may not mount.
func shareMounts(p *Plan) error {
	if len(p.Command) > 0 || p.Label != "" || slices.Contains(p.Drop, unix.CAP_SYS_ADMIN) {
		return nil
	}
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, "")
	if err != nil && !errors.Is(err, unix.EACCES) { // A policy that denies this denies mounts, too.
		return fmt.Errorf("share mounts inside: %w", err)
	}
	return nil
}

// mountLockDir makes a mount point of /run/lock, where Debian's systemd would mount one, which it may not.
func mountLockDir() error {
	const dir = "/run/lock"
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	return nil
}
