// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
)

// include copies a file of the host into the directory of the mount that its target lies in, the innermost.
func include(i Include, mounts []config.Mount) error {
	if err := errors.Join(config.CheckPath(i.Target), config.CheckPath(i.Source)); err != nil {
		return fmt.Errorf("include: %w", err)
	}
	var into config.Mount
	for _, m := range mounts {
		if pathname.IsBelow(i.Target, m.Target) && len(m.Target) > len(into.Target) {
			into = m
		}
	}
	if !into.Kind.ShowsHostFiles() {
		return field.Errorf("include %s: it lies in no mount of %s host-bind, and a copy can be put into "+
			"nothing else", i.Target, field.Mounts)
	}
	// What is in there may have been put there by a sandbox: no link may lead elsewhere.
	dir, err := os.OpenRoot(into.Source)
	if err != nil {
		return fmt.Errorf("include %s: %w", i.Target, err)
	}
	defer dir.Close()
	place := strings.TrimPrefix(i.Target, into.Target+"/")
	if err := copyInto(dir, place, i.Source); err != nil {
		return fmt.Errorf("include %s: %w", i.Target, err)
	}
	return nil
}

func copyInto(dir *os.Root, place, source string) (err error) {
	from, err := os.OpenFile(source, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", source)
	}
	if parent := filepath.Dir(place); parent != "." {
		if err := dir.MkdirAll(parent, 0o755); err != nil {
			return err
		}
	}
	// Anew, and not into what is there, which may be a device or a pipe.
	if err := dir.Remove(place); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	to, err := dir.OpenFile(place, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	owner, isUnix := info.Sys().(*syscall.Stat_t)
	if isUnix {
		err = errors.Join(err, to.Chown(int(owner.Uid), int(owner.Gid)))
	}
	return errors.Join(err, to.Chmod(info.Mode().Perm()), to.Close())
}
