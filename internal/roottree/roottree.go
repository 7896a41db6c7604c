// SPDX-License-Identifier: Apache-2.0

// Package roottree puts the root of a container with ids of its own together: the host's root and the container's
// content, each by an idmapped mount (mount_setattr(2)), so that files show in the user namespace with the owners
// that they have on disk. In: a directory of the host, ids, and what to mount in it; out: the mounted tree, and later
// nothing of it. The helper calls it, as root, for a container that is about to start.
//
// The tree must be complete before libvirt starts the container: what is mounted then is locked in the namespace
// (mount_namespaces(7)), and root inside cannot look below. libvirt's copy of it lives in the container alone, so
// that the host's goes as soon as the container is up.
package roottree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/domain"
	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// Tree is where the root of a sandbox is put together.
type Tree struct {
	Dir     string // of the host
	Sandbox string // its name, for errors
}

// Content is what a tree shows.
type Content struct {
	Base string       // directory of the host that is the root
	IDs  config.IDMap // of the container
	// Below lists mount points of the host below Base to show as well, read-only: a mount of Base is without them. It
	// is called in the host's mount namespace. Nil is none.
	Below func() ([]string, error)
	Binds []domain.Bind // to mount over that, in this order
}

// Build puts the tree together, in place of one that is left there. After an error, Remove takes away what there is.
// Errors: ErrNoIDMap.
func (t Tree) Build(c Content) error {
	if err := t.Remove(); err != nil {
		return err
	}
	return namespace.InHostMounts(func() error { return t.build(c) })
}

func (t Tree) build(c Content) error {
	for _, b := range c.Binds {
		if top, _, _ := strings.Cut(b.Target[1:], "/"); top == "run" || top == "tmp" || top == "dev" {
			return fmt.Errorf("nothing can be mounted at %s where idmap= is set, since /%s comes later; "+
				"choose another place", b.Target, top)
		}
	}
	// libvirt makes it otherwise, but not on a root that is read-only already.
	if err := os.MkdirAll(filepath.Join(c.Base, ".oldroot"), 0o777); err != nil {
		return fmt.Errorf("make root of %s: %w", t.Sandbox, err)
	}
	if err := os.Mkdir(t.Dir, 0o711); err != nil {
		return fmt.Errorf("make root of %s: %w", t.Sandbox, err)
	}
	users, err := userNamespace(c.IDs)
	if err != nil {
		return fmt.Errorf("make user namespace of %s: %w", t.Sandbox, err)
	}
	defer users.Close()
	if err := attach(users, c.Base, unix.AT_FDCWD, t.Dir, true); err != nil {
		return err
	}
	var below []string
	if c.Below != nil {
		if below, err = c.Below(); err != nil {
			return err
		}
	}
	var all []domain.Bind
	for _, p := range below {
		all = append(all, domain.Bind{Source: p, Target: p, ReadOnly: true})
	}
	root, err := unix.Open(t.Dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open root of %s: %w", t.Sandbox, err)
	}
	defer unix.Close(root)
	for _, b := range append(all, c.Binds...) {
		if err := attachInside(users, b, root); err != nil {
			return err
		}
	}
	return nil
}

// attachInside mounts at a path of the tree; links on the way lead to places in the tree.
func attachInside(users *os.File, b domain.Bind, root int) error {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	target, err := unix.Openat2(root, b.Target, &how)
	if err != nil {
		return fmt.Errorf("find mount point %s: %w", b.Target, err)
	}
	defer unix.Close(target)
	return attach(users, b.Source, target, "", b.ReadOnly)
}

// ErrNoIDMap is returned by Build where a user namespace cannot show the host's files.
var ErrNoIDMap = errors.New("the kernel cannot map the ids of the file system")

// attach mounts source at a place by an idmapped mount, which nobody sees before it has all its attributes.
func attach(users *os.File, source string, at int, target string, readOnly bool) error {
	tree, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("copy mount of %s: %w", source, err)
	}
	defer unix.Close(tree)
	// Private: a copy of the host's root would pass on to that what is mounted in it.
	attributes := unix.MountAttr{
		Attr_set: unix.MOUNT_ATTR_IDMAP, Propagation: unix.MS_PRIVATE, Userns_fd: uint64(users.Fd()),
	}
	if readOnly {
		attributes.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	err = unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attributes)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("%w at %s (%s): %w; remove idmap= from the config, or keep that elsewhere",
			ErrNoIDMap, source, fileSystem(source), err)
	}
	if err != nil {
		return fmt.Errorf("map ids of %s: %w", source, err)
	}
	flags := unix.MOVE_MOUNT_F_EMPTY_PATH
	if target == "" {
		flags |= unix.MOVE_MOUNT_T_EMPTY_PATH
	}
	if err := unix.MoveMount(tree, "", at, target, flags); err != nil {
		return fmt.Errorf("mount %s: %w", source, err)
	}
	return nil
}

// fileSystem names the type of the file system of a path for a person.
func fileSystem(p string) string {
	out, err := exec.Command("stat", "--file-system", "--format=%T", p).Output()
	if err != nil {
		return "of unknown type"
	}
	return strings.TrimSpace(string(out))
}

// userNamespace opens a user namespace with the ids of a container. It lives as long as something uses it.
func userNamespace(m config.IDMap) (*os.File, error) {
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(m.Base), Size: int(m.Count)}}
	// It does nothing but wait for the end of its input.
	holder := exec.Command("cat")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids}
	input, err := holder.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := holder.Start(); err != nil {
		return nil, err
	}
	namespace, err := os.Open(proc.Host.Namespace(holder.Process.Pid, "user"))
	input.Close()
	_ = holder.Wait()
	return namespace, err
}

// Remove takes the tree away from the host. Never by removing files: they are the host's and the container's.
func (t Tree) Remove() error {
	if _, err := os.Lstat(t.Dir); errors.Is(err, fs.ErrNotExist) {
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
	if err := unix.Rmdir(t.Dir); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove root of %s: %w", t.Sandbox, err)
	}
	return nil
}
