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

// ResolvFile is where a container finds a resolv.conf(5) of its own, which is kept up to date from outside; none where
// its network gives none.
const ResolvFile = "/run/host/resolv.conf"

// showResolv puts such a file where programs look, unless the administrator has put something there. The host's may be
// a link to what a service makes below /run, which is empty here: then a link is made there.
func showResolv(own string) error {
	const place = "/etc/resolv.conf"
	if _, err := os.Lstat(own); err != nil {
		return nil
	}
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(mounts, func(m *mountinfo.Info) bool { return m.Mountpoint == place }) {
		return nil
	}
	if err := makePlace(place); err != nil {
		return err
	}
	file, err := filepath.EvalSymlinks(place)
	if err == nil {
		if err := unix.Mount(own, file, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s: %w", file, err)
		}
		return nil
	}
	target, linkErr := os.Readlink(place)
	switch {
	case errors.Is(linkErr, fs.ErrNotExist):
		fmt.Fprintf(os.Stderr, "virt-sandbox-init: no names of other hosts can be looked up: the host has no %s, and none "+
			"can be made\n", place)
		return nil
	case linkErr != nil || !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("find a place for resolv.conf: %w", err)
	case !filepath.IsAbs(target):
		target = filepath.Join("/etc", target)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(target), 0o755), os.Symlink(own, target)); err != nil {
		return fmt.Errorf("make the place that %s leads to: %w", place, err)
	}
	return nil
}

// makePlace makes an empty file to mount over where a container that writes to its /etc has none.
func makePlace(place string) error {
	f, err := os.OpenFile(place, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o644)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, unix.EROFS) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make a place for resolv.conf: %w", err)
	}
	return f.Close()
}
