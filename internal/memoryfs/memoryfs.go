// SPDX-License-Identifier: Apache-2.0

// Package memoryfs changes the sizes of file systems in memory (tmpfs(5)) of a container that runs. In: the first
// process of the container, with a descriptor of its root, and paths in it; out: other sizes, or none. Root inside may
// have put anything at those paths: what is no file system in memory, or one of the host's, is left alone. The verb
// set-property calls it.
package memoryfs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/openat"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// Size is what the file system at an absolute path of a container may hold, in bytes.
type Size struct {
	Path  string
	Bytes uint64
}

// Container is one that runs.
type Container struct {
	Root *os.File // of its first process, opened with O_PATH
	Init int      // the number of that process, for its /proc/PID/mountinfo
}

// limit is how long the kernel may take: root inside may have mounted what does not answer.
const limit = 10 * time.Second

// Resize changes sizes, all of them or none. undo gives them back what they had.
func (c Container) Resize(sizes []Size) (undo func() error, err error) {
	type outcome struct {
		undo func() error
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		undo, err := c.resize(sizes)
		done <- outcome{undo, err}
	}()
	select {
	case o := <-done:
		return o.undo, o.err
	case <-time.After(limit):
		// Who is told that nothing changed must not be wrong later.
		go func() {
			if late := <-done; late.err == nil {
				_ = late.undo()
			}
		}()
		return nil, fmt.Errorf("change sizes in memory: no answer within %v, as when something that does not answer is "+
			"mounted inside", limit)
	}
}

func (c Container) resize(sizes []Size) (undo func() error, err error) {
	var all, back []change
	for _, s := range sizes {
		one, err := c.find(s)
		if err != nil {
			return nil, fmt.Errorf("change the size of %s: %w", s.Path, err)
		}
		all = append(all, one)
	}
	undo = func() (err error) {
		for _, one := range back {
			err = errors.Join(err, one.do(one.before))
		}
		return err
	}
	for _, one := range all {
		if err := one.do(one.Bytes); err != nil {
			return nil, errors.Join(err, undo())
		}
		back = append(back, one)
	}
	return undo, nil
}

// change is a size for a file system that is open.
type change struct {
	Size
	dir    *os.File // its root directory; it is closed when nobody can undo the change any more
	before uint64   // how much it may hold until now
}

// find opens the file system at a path and looks whether it is one to be changed.
func (c Container) find(s Size) (change, error) {
	fd, err := c.open(s.Path)
	if err != nil {
		return change{}, err
	}
	one := change{Size: s, dir: os.NewFile(uintptr(fd), s.Path)}
	if one.before, err = c.check(one); err != nil {
		one.dir.Close()
		return change{}, err
	}
	return one, nil
}

// open opens a directory, of which no part is a link.
func (c Container) open(path string) (int, error) {
	how := unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	return openat.Openat2(int(c.Root.Fd()), strings.TrimPrefix(path, "/"), &how)
}

// maxMounts bounds how much is read of a list of mounts, in bytes.
const maxMounts = 16 << 20

// check returns the size of a file system. Errors: of one that is not in memory, or not the container's alone, or holds
// more than it is to.
func (c Container) check(one change) (uint64, error) {
	id, err := mountID(one.dir)
	if err != nil {
		return 0, err
	}
	own, err := mounts(c.Init, func(m *mountinfo.Info) bool { return m.ID == id })
	if err != nil {
		return 0, err
	}
	// What the kernel says of a mount needs no answer of what is mounted.
	if len(own) != 1 || own[0].FSType != "tmpfs" || own[0].Root != "/" {
		return 0, errors.New("what is mounted there is not in memory")
	}
	isSame := func(m *mountinfo.Info) bool { return m.Major == own[0].Major && m.Minor == own[0].Minor }
	hosts, err := mounts(1, isSame)
	if errors.Is(err, unix.EACCES) {
		// This machine is a container itself.
		hosts, err = mounts(os.Getpid(), isSame)
	}
	if err != nil {
		return 0, err
	}
	if len(hosts) > 0 {
		return 0, errors.New("what is mounted there is the host's")
	}
	var now unix.Statfs_t
	if err := unix.Fstatfs(int(one.dir.Fd()), &now); err != nil {
		return 0, err
	}
	if used := (now.Blocks - now.Bfree) * uint64(now.Bsize); now.Blocks > 0 && used > one.Bytes {
		return 0, fmt.Errorf("%d bytes are in use there, more than %d", used, one.Bytes)
	}
	return now.Blocks * uint64(now.Bsize), nil
}

// mountID returns the number of the mount that a descriptor is of (proc_pid_fdinfo(5)).
func mountID(file *os.File) (int, error) {
	info, err := os.Open("/proc/self/fdinfo/" + strconv.Itoa(int(file.Fd())))
	if err != nil {
		return 0, err
	}
	defer info.Close()
	for lines := bufio.NewScanner(io.LimitReader(info, 4096)); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), "mnt_id:"); found {
			return strconv.Atoi(strings.TrimSpace(value))
		}
	}
	return 0, errors.New("the kernel does not say which mount it is")
}

func mounts(pid int, wanted func(*mountinfo.Info) bool) ([]*mountinfo.Info, error) {
	list, err := proc.Host.Mounts(pid)
	if err != nil {
		return nil, err
	}
	defer list.Close()
	return mountinfo.GetMountsFromReader(io.LimitReader(list, maxMounts), func(m *mountinfo.Info) (skip, stop bool) {
		return !wanted(m), false
	})
}

// do gives the file system a size, and leaves the rest of it as it is.
func (c change) do(size uint64) error {
	fs, err := unix.Fspick(int(c.dir.Fd()), "", unix.FSPICK_EMPTY_PATH|unix.FSPICK_NO_AUTOMOUNT|unix.FSPICK_CLOEXEC)
	if err == nil {
		defer unix.Close(fs)
		if err = unix.FsconfigSetString(fs, "size", strconv.FormatUint(size, 10)); err == nil {
			err = unix.FsconfigReconfigure(fs)
		}
	}
	if err != nil {
		return fmt.Errorf("change the size of %s to %d bytes: %w", c.Path, size, err)
	}
	return nil
}
