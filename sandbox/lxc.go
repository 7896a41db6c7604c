// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/selinux/go-selinux"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/account"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/oneshot"
)

// lxc has sandboxes in containers of libvirt's LXC driver: on the host's kernel, with namespaces of their own.
type lxc struct{}

func (*lxc) check(o *Options) error {
	switch {
	case o.Kernel != (Kernel{}):
		return field.Errorf("%s, %s and %s choose the kernel of a virtual machine; a container at lxc:/// "+
			"has the host's", field.KernelVersion, field.KernelPath, field.KernelModules)
	case os.Geteuid() != 0:
		return errors.New("root is needed at lxc:///; run it with sudo")
	case o.Security.HasLabel() && !selinux.GetEnabled():
		return field.Errorf("%s: SELinux is off on this host, and a label would confine nothing; leave it out",
			field.Security)
	}
	if o.Root != "" {
		return checkRoot(o.Root)
	}
	return nil
}

// checkRoot refuses a tree that lacks the places where a container gets what every one has: it is read-only by then.
func checkRoot(root string) error {
	if info, err := os.Stat(root); err != nil {
		return field.Errorf("%s: %w", field.Root, err)
	} else if !info.IsDir() {
		return field.Errorf("%s %s: it is no directory", field.Root, root)
	}
	for _, name := range []string{"dev", "proc", "run", "sys", "tmp"} {
		if info, err := os.Lstat(filepath.Join(root, name)); err != nil || !info.IsDir() {
			return field.Errorf("%s %s: it has no directory %s to mount on; make it with mkdir -p %s",
				field.Root, root, name, filepath.Join(root, name))
		}
	}
	return nil
}

func (*lxc) start(ctx context.Context, o *Options) (machine, error) {
	t, err := oneShot(o)
	if err != nil {
		return nil, err
	}
	for _, i := range o.Includes {
		if err := include(i, t.Sandbox.Mounts); err != nil {
			return nil, err
		}
	}
	console := o.Log
	if console == nil {
		console = io.Discard
	}
	run, err := helper.New(helper.Options{URI: o.URI, Warn: o.note, Console: console}).OneShots().Start(ctx, t)
	if err != nil {
		return nil, err
	}
	return container{run}, nil
}

// container is a machine of lxc.
type container struct{ *oneshot.Run }

func (c container) link() (io.ReadWriteCloser, bool) { return c.Connection, true }

// oneShot puts options into the terms of containers.
func oneShot(o *Options) (oneshot.Spec, error) {
	s, err := o.sandbox()
	t := oneshot.Spec{Sandbox: s, Shell: o.Shell, Ignored: o.Ignored, Note: o.note}
	if err != nil {
		return t, err
	}
	if o.Root != "" {
		if t.Root, err = filepath.Abs(o.Root); err != nil {
			return t, field.Errorf("%s %s: %w", field.Root, o.Root, err)
		}
	}
	for _, m := range s.Mounts {
		if err := checkMountPoint(t.Root, m); err != nil {
			return t, err
		}
	}
	for _, d := range s.Disks {
		if d.Format != config.FormatRaw && d.Format != config.FormatQCOW2 {
			return t, field.Errorf("%s %s: at lxc:/// there are the formats raw and qcow2 only; use qemu:///system",
				field.Disks, d)
		}
	}
	return t, identify(o.User, &t)
}

// checkMountPoint refuses a place that is not there: nothing can be made on a directory that is read-only. That of a
// guest-bind can lie in another mount.
func checkMountPoint(root string, m config.Mount) error {
	if m.Kind.ShowsInside() {
		return nil
	}
	switch top, _, _ := strings.Cut(m.Target[1:], "/"); top {
	case "run", "tmp", "dev":
		return nil // These are the sandbox's own, where what is missing is made.
	case "usr", "etc", "bin", "sbin", "lib", "lib32", "lib64", "libx32":
	default:
		if root == "" {
			return nil // So is the root, where it is not a directory of the caller's.
		}
	}
	if _, err := os.Stat(filepath.Join("/", root, m.Target)); err != nil {
		return fmt.Errorf("mount at %s: the root has no such place: make it on the host, or choose one below /tmp", m.Target)
	}
	return nil
}

// security completes what confines the sandbox.
func security(s config.Security) (config.Security, error) {
	switch s.Mode {
	case "":
		s.Mode = config.SecurityDynamic
	case config.SecurityInherit:
		s.Mode = config.SecurityStatic
		if selinux.GetEnabled() {
			label, err := selinux.CurrentLabel()
			if err != nil {
				return s, field.Errorf("%s inherit: read the caller's SELinux context: %w", field.Security, err)
			}
			context, err := config.ParseLabel(label)
			if err != nil {
				return s, field.Errorf("%s inherit: %w", field.Security, err)
			}
			s.SetLabel(context)
		}
	}
	if s.FileType == "" {
		s.FileType = "container_file_t"
	}
	return s, nil
}

// identify makes the command that of an account of the host, in a user namespace: root inside is nobody outside.
func identify(name string, t *oneshot.Spec) error {
	if name == "" {
		name = "root"
	}
	found, err := user.Lookup(name)
	if err != nil {
		return field.Errorf("%s %s: the host has no such account", field.User, name)
	}
	uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return field.Errorf("%s %s: %w", field.User, name, err)
	}
	t.Sandbox.Identity = config.Identity{UID: uint32(uid), GID: uint32(gid), User: found.Username, Home: found.HomeDir}
	// Root of such ids has no rights over the host's network.
	t.Sandbox.Hardening.IDMap.Auto = t.Sandbox.Network != config.NetworkHost
	if t.Groups, err = account.Groups(found); err != nil {
		return field.Errorf("%s %s: %w", field.User, name, err)
	}
	return nil
}
