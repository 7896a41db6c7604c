// SPDX-License-Identifier: Apache-2.0

package roottree

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// Mount is what a tree shows at a path: a directory or file of the host, another path of the tree, or memory.
type Mount struct {
	Target string
	// Source is a path of the host. With Below it is a path below that directory, in which a container may have put
	// links: none is followed. With Inside it is a path of the tree, shown with what is mounted below it.
	Source string
	Below  string
	Inside bool
	Make   bool `json:",omitempty"` // whether the source inside is a directory in memory that is made
	// Lower is a directory of the host over which the source is laid: what is not in the source is seen of it. What is
	// written goes to the source. Work is a directory below Below, which this needs; nobody else uses it.
	Lower    string      `json:",omitempty"`
	Work     string      `json:",omitempty"`
	Memory   config.Size // bytes of a file system in memory, in place of a source
	Mode     uint32      // permissions of its root
	ReadOnly bool
	// HostIDs shows the owners as the host has them, also to a container with ids of its own.
	HostIDs bool
	// NoOwners shows all files to a container with ids of its own as nobody's, so that root inside reads what everybody
	// may read and nothing else.
	NoOwners bool
}

// what says for a person what a mount does.
func (m Mount) what() string {
	if m.Lower != "" {
		return fmt.Sprintf("lay %s%s over %s at %s", m.Below, m.Source, m.Lower, m.Target)
	}
	if m.Source == "" {
		return "mount " + m.Target
	}
	return "show " + m.Source + " at " + m.Target
}

// builder puts one tree together.
type builder struct {
	content *Content
	users   int // user namespace of the container, -1 for the host's
	nobody  int // one in which no file has an owner that anybody inside is, where users is one
	root    int // descriptor of the tree's root, once it is mounted
	rooted  bool
	own     map[uint64]bool // devices of the file systems that were made for this tree
	seal    []int           // mounts of these that become read-only once all mount points are there
}

func (b *builder) close() {
	for _, tree := range b.seal {
		unix.Close(tree)
	}
	if b.rooted {
		unix.Close(b.root)
	}
}

// mountRoot mounts what everything else is mounted in.
func (b *builder) mountRoot(dir string) error {
	var tree int
	var err error
	if b.content.Base != "" {
		tree, err = b.cloneBase()
	} else {
		tree, err = b.memory(0, 0o755, rootLabel)
	}
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount root: %w", err)
	}
	if b.root, err = unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0); err != nil {
		return fmt.Errorf("open root: %w", err)
	}
	b.rooted = true
	if b.content.Base != "" {
		return nil
	}
	for _, name := range append([]string{oldRoot, "proc", "sys", "dev"}, b.content.Dirs...) {
		if err := b.mkdir(b.root, strings.TrimPrefix(name, "/"), 0o755); err != nil {
			return fmt.Errorf("make /%s: %w", name, err)
		}
	}
	for _, l := range b.content.Links {
		if err := unix.Symlinkat(l.Target, b.root, strings.TrimPrefix(l.Path, "/")); err != nil {
			return fmt.Errorf("make %s: %w", l.Path, err)
		}
	}
	return nil
}

// cloneBase copies the mount of a directory that is the root as a whole.
func (b *builder) cloneBase() (int, error) {
	// libvirt makes it otherwise, but not on a root that is read-only already.
	if err := os.MkdirAll(b.content.Base+"/"+oldRoot, 0o777); err != nil {
		return -1, fmt.Errorf("make a place for the former root: %w", err)
	}
	source, err := b.openTrusted(b.content.Base)
	if err != nil {
		return -1, err
	}
	defer unix.Close(source)
	return b.clone(source, Mount{Source: b.content.Base, ReadOnly: true})
}

// finish makes read-only, once all mount points are there, the root and what else is made for mounts alone.
func (b *builder) finish() error {
	for _, tree := range append(b.seal, b.root) {
		attributes := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
		if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attributes); err != nil {
			return fmt.Errorf("make root read-only: %w", err)
		}
	}
	return nil
}

func (b *builder) mount(m Mount) error {
	tree, isDir, err := b.attachable(m)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	target, err := b.openPoint(m.Target, isDir)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	const flags = unix.MOVE_MOUNT_F_EMPTY_PATH | unix.MOVE_MOUNT_T_EMPTY_PATH
	if err := unix.MoveMount(tree, "", target, "", flags); err != nil || m.Source != "" || !m.ReadOnly {
		return err
	}
	sealed, err := unix.FcntlInt(uintptr(tree), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		b.seal = append(b.seal, sealed)
	}
	return err
}

// attachable returns a mount that nobody sees before it has all its attributes.
func (b *builder) attachable(m Mount) (tree int, isDir bool, err error) {
	if m.Source == "" {
		tree, err = b.memory(m.Memory, m.Mode, b.content.Label)
		return tree, true, err
	}
	if m.Lower != "" {
		tree, err = b.overlay(m)
		return tree, true, err
	}
	source, err := b.openSource(m)
	if err != nil {
		return -1, false, err
	}
	defer unix.Close(source)
	var stat unix.Stat_t
	if err := unix.Fstat(source, &stat); err != nil {
		return -1, false, fmt.Errorf("look at %s: %w", m.Source, err)
	}
	tree, err = b.clone(source, m)
	return tree, stat.Mode&unix.S_IFMT == unix.S_IFDIR, err
}

func (b *builder) openSource(m Mount) (int, error) {
	switch {
	case m.Inside && m.Make:
		return b.openPoint(m.Source, true)
	case m.Inside:
		return openBelow(b.root, m.Source)
	case m.Below != "":
		below, err := unix.Open(m.Below, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1, &os.PathError{Op: "open", Path: m.Below, Err: err}
		}
		defer unix.Close(below)
		return openBelow(below, m.Source)
	}
	return b.openTrusted(m.Source)
}

// ErrNoIDMap is returned by Build where a user namespace cannot show the host's files.
var ErrNoIDMap = errors.New("the kernel cannot map the ids of the file system")

// clone copies the mount of an open directory or file.
func (b *builder) clone(source int, m Mount) (int, error) {
	flags, at := uint(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH), uint(unix.AT_EMPTY_PATH)
	if m.Inside {
		// As writable as what it shows, with what covers it.
		flags |= unix.AT_RECURSIVE
	}
	tree, err := unix.OpenTree(source, "", flags)
	if err != nil {
		return -1, fmt.Errorf("copy mount of %s: %w", m.Source, err)
	}
	if m.Inside {
		if !m.ReadOnly {
			return tree, nil
		}
		attributes := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
		if err := unix.MountSetattr(tree, "", at|unix.AT_RECURSIVE, &attributes); err != nil {
			unix.Close(tree)
			return -1, fmt.Errorf("make the mount of %s read-only: %w", m.Source, err)
		}
		return tree, nil
	}
	// Private: a copy of the host's root would pass on to that what is mounted in it. No devices: libvirt makes those
	// that a container may use.
	attributes := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NODEV, Propagation: unix.MS_PRIVATE}
	if m.ReadOnly {
		attributes.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	mapped := b.users >= 0 && !m.HostIDs
	if mapped {
		attributes.Attr_set |= unix.MOUNT_ATTR_IDMAP
		attributes.Userns_fd = uint64(b.users)
		if m.NoOwners {
			attributes.Userns_fd = uint64(b.nobody)
		}
	}
	err = unix.MountSetattr(tree, "", at, &attributes)
	if err == nil {
		return tree, nil
	}
	unix.Close(tree)
	if mapped && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS)) {
		return -1, fmt.Errorf("%w at %s (%s): %w; remove idmap= from the config, or keep that elsewhere",
			ErrNoIDMap, m.Source, fileSystem(m.Source), err)
	}
	return -1, fmt.Errorf("set up the mount of %s: %w", m.Source, err)
}

// memory makes a file system in memory (tmpfs(5)). size is in bytes, 0 for what the few entries of a root take.
func (b *builder) memory(size config.Size, mode uint32, label string) (int, error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("make a file system in memory: %w", err)
	}
	defer unix.Close(fs)
	if size == 0 {
		size = 1 << 20
	}
	owner := strconv.FormatUint(uint64(b.content.IDs.Base), 10)
	options := []struct{ key, value string }{
		{"source", "tmpfs"}, {"size", strconv.FormatUint(uint64(size), 10)}, {"mode", strconv.FormatUint(uint64(mode), 8)},
		{"uid", owner}, {"gid", owner},
	}
	if label != "" && b.content.Label != "" {
		options = append(options, struct{ key, value string }{"context", label})
	}
	for _, o := range options {
		if err := unix.FsconfigSetString(fs, o.key, o.value); err != nil {
			return -1, fmt.Errorf("make a file system in memory: %s=%s: %w", o.key, o.value, err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, fmt.Errorf("make a file system in memory: %w", err)
	}
	tree, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return -1, fmt.Errorf("make a file system in memory: %w", err)
	}
	return tree, b.makesPointsIn(tree)
}

// makesPointsIn has mount points that a mount lacks made in it. After an error the mount is closed.
func (b *builder) makesPointsIn(tree int) error {
	var stat unix.Stat_t
	if err := unix.Fstat(tree, &stat); err != nil {
		unix.Close(tree)
		return fmt.Errorf("look at a new mount: %w", err)
	}
	if b.own == nil {
		b.own = make(map[uint64]bool)
	}
	b.own[stat.Dev] = true
	return nil
}

// fileSystem names the type of the file system of a path for a person.
func fileSystem(p string) string {
	out, err := exec.Command("stat", "--file-system", "--format=%T", "--", p).Output()
	if err != nil {
		return "of unknown type"
	}
	return strings.TrimSpace(string(out))
}
