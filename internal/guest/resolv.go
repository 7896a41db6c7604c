// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// ResolvFile is where a container finds a resolv.conf(5) of its own, which is kept up to date from outside; none where
// its network gives none.
const ResolvFile = "/run/host/resolv.conf"

// ShowResolv puts such a file where programs look, unless the administrator has put something there. The host's may be
// a link to what a service makes below /run, which is empty here: then a link is made there.
func ShowResolv(own string) error {
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
	// Root inside may have made it, and a link of its own has nothing else mounted over.
	target := place
	if link, err := os.Readlink(place); err == nil {
		if target = link; !filepath.IsAbs(target) {
			target = filepath.Join("/etc", target)
		}
	}
	target = filepath.Clean(target)
	below, inRun := strings.CutPrefix(target, "/run/")
	err = errNoFile
	if inRun && !strings.HasPrefix(below, "host/") || strings.HasPrefix(target, "/etc/") {
		err = coverFile(own, target)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && inRun:
		return linkInRun(own, below)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ELOOP), errors.Is(err, errNoFile):
		fmt.Fprintf(os.Stderr, "virt-sandbox-init: no names of other hosts can be looked up: %q, for which %s stands, is no "+
			"file to mount over\n", target, place)
		return nil
	}
	return err
}

var errNoFile = errors.New("no regular file")

// coverFile mounts one file over another. Root inside may have made the second: no link is followed on the way to it,
// and what was looked at is what is mounted over.
func coverFile(with, file string) error {
	fd, err := unix.Openat2(unix.AT_FDCWD, file, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return &os.PathError{Op: "open", Path: file, Err: err}
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return &os.PathError{Op: "look at", Path: file, Err: err}
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return errNoFile
	}
	if err := unix.Mount(with, "/proc/self/fd/"+strconv.Itoa(fd), "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s: %w", file, err)
	}
	return nil
}

// linkInRun makes a link to a file at a path below /run, and no way out of that.
func linkInRun(own, below string) error {
	run, err := os.OpenRoot("/run")
	if err != nil {
		return fmt.Errorf("make a place for resolv.conf: %w", err)
	}
	defer run.Close()
	if err := errors.Join(run.MkdirAll(filepath.Dir(below), 0o755), run.Symlink(own, below)); err != nil {
		return fmt.Errorf("make a place for resolv.conf: %w", err)
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
