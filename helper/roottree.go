package helper

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
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/domain"
	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// rootTree is where the root of a container with a user namespace is put together: the host's root and the container's
// content, each by an idmapped mount (mount_setattr(2)), so that files show in the namespace with the owners that they have
// on disk. It must be complete before libvirt starts the container: what is mounted then is locked in the namespace
// (mount_namespaces(7)), and root inside cannot look below. libvirt's copy of it lives in the container alone, so that the
// host's goes as soon as the container is up.
func rootTree(name string) string { return filepath.Join(RuntimeBase, ".root-"+name) }

// makeRootTree puts the root of a container together, on a directory of the host, "/" with what is mounted below.
func makeRootTree(s *config.Sandbox, base string, binds []domain.Bind) (dir string, err error) {
	if err := removeRootTree(s.Name); err != nil {
		return "", err
	}
	err = namespace.InHostMounts(func() error {
		dir, err = buildRootTree(s, base, binds)
		return err
	})
	return dir, err
}

func buildRootTree(s *config.Sandbox, base string, binds []domain.Bind) (dir string, err error) {
	dir = rootTree(s.Name)
	for _, b := range binds {
		if top, _, _ := strings.Cut(b.Target[1:], "/"); top == "run" || top == "tmp" || top == "dev" {
			return "", fmt.Errorf("nothing can be mounted at %s where idmap= is set, since /%s comes later; choose another place", b.Target, top)
		}
	}
	// libvirt makes it otherwise, but not on a root that is read-only already.
	if err := os.MkdirAll(filepath.Join(base, ".oldroot"), 0o777); err != nil {
		return "", fmt.Errorf("make root of %s: %w", s.Name, err)
	}
	if err := os.Mkdir(dir, 0o711); err != nil {
		return "", fmt.Errorf("make root of %s: %w", s.Name, err)
	}
	users, err := userNamespace(s.Hardening.IDMap)
	if err != nil {
		return "", fmt.Errorf("make user namespace of %s: %w", s.Name, err)
	}
	defer users.Close()
	if err := attach(users, base, unix.AT_FDCWD, dir, true); err != nil {
		return "", err
	}
	var shared []string
	if base == "/" {
		if shared, err = content.SharedMounts(); err != nil {
			return "", err
		}
	}
	var all []domain.Bind
	for _, p := range shared {
		all = append(all, domain.Bind{Source: p, Target: p, ReadOnly: true})
	}
	root, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("open root of %s: %w", s.Name, err)
	}
	defer unix.Close(root)
	for _, b := range append(all, binds...) {
		if err := attachInside(users, b, root); err != nil {
			return "", err
		}
	}
	return dir, nil
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

// errNoIDMap is returned by makeRootTree where a user namespace cannot show the host's files.
var errNoIDMap = errors.New("the kernel cannot map the ids of the file system")

// attach mounts source at a place by an idmapped mount, which nobody sees before it has all its attributes.
func attach(users *os.File, source string, at int, target string, readOnly bool) error {
	tree, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("copy mount of %s: %w", source, err)
	}
	defer unix.Close(tree)
	// Private: a copy of the host's root would pass on to that what is mounted in it.
	attributes := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Propagation: unix.MS_PRIVATE, Userns_fd: uint64(users.Fd())}
	if readOnly {
		attributes.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	err = unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attributes)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("%w at %s (%s): %w; remove idmap= from the config, or keep that elsewhere",
			errNoIDMap, source, fileSystem(source), err)
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

// removeRootTree takes the tree away from the host. Never by removing files: they are the host's and the container's.
func removeRootTree(name string) error {
	if _, err := os.Lstat(rootTree(name)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return namespace.InHostMounts(func() error { return detachRootTree(name) })
}

func detachRootTree(name string) error {
	dir := rootTree(name)
	for {
		err := unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			break
		}
		if err != nil {
			return fmt.Errorf("unmount root of %s: %w", name, err)
		}
	}
	if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove root of %s: %w", name, err)
	}
	return nil
}
