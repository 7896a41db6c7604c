// SPDX-License-Identifier: Apache-2.0

// Package roottree puts the root of a container together: a small file system of its own, and in it what the container
// is shown of the host and of its content, and nothing else. In: a directory of the host and what to mount in it; out:
// the mounted tree, and later nothing of it. The helper calls it, as root, for a container that is about to start.
//
// libvirt is given the whole tree as the root, so that it resolves no path that a container could have changed. Here
// each source and each mount point is opened once, by a descriptor, and no symbolic link of a container's is followed:
// see openBelow, openTrusted and openPoint.
//
// The tree must be complete before libvirt starts the container: what is mounted then is locked in a user namespace
// (mount_namespaces(7)), and root inside cannot look below. libvirt's copy of it lives in the container alone, so
// that the host's goes as soon as the container is up.
package roottree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
	"github.com/virt-sandbox/virt-sandbox/internal/usernamespace"
)

// Tree is where the root of a sandbox is put together.
type Tree struct {
	Dir     string // of the host, in a directory of its own that only root of the container passes through
	Sandbox string // its name, for errors
}

// Content is what a tree shows.
type Content struct {
	Base string // directory of the host that is the root, read-only; empty for one made of the view alone
	View
	IDs   config.IDMap // of the container; the zero value is the host's
	Label string       // SELinux context of what the container writes in memory; empty where SELinux is off
	// Untrusted are directories of the host that the container writes to. A symbolic link below one leads nowhere.
	Untrusted []string
	// Others lists those that other containers write to; nil for none. It is asked where a link is met.
	Others func() []string `json:"-"`
}

// View is what a root shows.
type View struct {
	Links  []Link   // in the root, such as /bin
	Dirs   []string // empty directories, one below another after it, such as /mnt
	Mounts []Mount  // in this order
}

// Link is a symbolic link at a path of the root.
type Link struct {
	Path, Target string
}

// rootLabel is the SELinux context of the root itself: of what the host gives every container to read.
const rootLabel = "system_u:object_r:container_ro_file_t:s0"

// oldRoot is where libvirt keeps the former root while it changes roots (libvirt's lxc_container.c).
const oldRoot = ".oldroot"

// Build puts the tree together, in place of one that is left there. After an error, Remove takes away what there is.
// Errors: ErrNoIDMap.
func (t Tree) Build(c *Content) error {
	if err := t.Remove(); err != nil {
		return err
	}
	if err := namespace.InHostMounts(func() error { return t.makeDir(c.IDs) }); err != nil {
		return fmt.Errorf("make root of %s: %w", t.Sandbox, err)
	}
	// Libvirt's namespace may be another one, which gets what is mounted in the host's, and not what becomes of it later.
	// So the tree is complete when it comes there.
	tree := -1
	err := namespace.InOwnMounts(func() (err error) {
		if err = t.build(c); err != nil {
			return err
		}
		tree, err = unix.OpenTree(unix.AT_FDCWD, t.Dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
		if err != nil {
			return fmt.Errorf("copy root of %s: %w", t.Sandbox, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	err = namespace.InHostMounts(func() error {
		return unix.MoveMount(tree, "", unix.AT_FDCWD, t.Dir, unix.MOVE_MOUNT_F_EMPTY_PATH)
	})
	if err != nil {
		return fmt.Errorf("mount root of %s: %w", t.Sandbox, err)
	}
	return nil
}

// build puts the tree together in this thread's mount namespace.
// Preconditions: the mount point is there.
func (t Tree) build(c *Content) error {
	b := builder{content: c, users: -1}
	defer b.close()
	if c.IDs.Mapped() {
		users, err := usernamespace.Make(containerIDs(c.IDs))
		if err != nil {
			return fmt.Errorf("make user namespace of %s: %w", t.Sandbox, err)
		}
		defer users.Close()
		b.users = int(users.Fd())
		if slices.ContainsFunc(c.Mounts, func(m Mount) bool { return m.NoOwners }) {
			nobody, err := usernamespace.Make(noIDs(c.IDs))
			if err != nil {
				return fmt.Errorf("make user namespace of %s: %w", t.Sandbox, err)
			}
			defer nobody.Close()
			b.nobody = int(nobody.Fd())
		}
	}
	if err := b.mountRoot(t.Dir); err != nil {
		return err
	}
	for _, m := range c.Mounts {
		if err := b.mount(m); err != nil {
			return fmt.Errorf("%s: %w", m.what(), err)
		}
	}
	return b.finish()
}

// makeDir makes the mount point, which only the container's root passes to.
func (t Tree) makeDir(ids config.IDMap) error {
	own := filepath.Dir(t.Dir)
	if err := os.MkdirAll(own, 0o700); err != nil {
		return err
	}
	return errors.Join(os.Chown(own, 0, int(ids.Base)), os.Chmod(own, 0o710), os.Mkdir(t.Dir, 0o711))
}

// Remove takes the tree away from the host. Never by removing files: they are the host's and the container's.
func (t Tree) Remove() error {
	if _, err := os.Lstat(filepath.Dir(t.Dir)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return namespace.InHostMounts(t.detach)
}

func (t Tree) detach() error {
	for {
		err := unix.Unmount(t.Dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			break
		}
		if err != nil {
			return fmt.Errorf("unmount root of %s: %w", t.Sandbox, err)
		}
	}
	for _, dir := range []string{t.Dir, filepath.Dir(t.Dir)} {
		if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("remove root of %s: %w", t.Sandbox, err)
		}
	}
	return nil
}
