package helper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
)

// giveCgroup makes a group of version 2 for the ids of a container where libvirt makes none, since root inside cannot.
func giveCgroup(s *config.Sandbox, init int, groups map[string]string) error {
	ids := s.Hardening.IDMap
	if !ids.Mapped() {
		return nil
	}
	parent, found := groups[""]
	if !found || isOfContainer(parent) {
		return nil
	}
	dir := filepath.Join(parent, guest.CgroupPrefix+s.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make cgroup: %w", err)
	}
	// What systemd gives along when it delegates a group.
	for _, file := range []string{"", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"} {
		if err := os.Chown(filepath.Join(dir, file), int(ids.Base), int(ids.Base)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("give cgroup to the container: %w", err)
		}
	}
	err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(init)), 0)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("move the container to its cgroup: %w", err)
	}
	return nil
}

// asRootOf calls f as the user of the host that is root in a container, which takes whoever else asks for nobody.
func asRootOf(root uint32, f func() error) error {
	if root == 0 {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Of this thread alone, unlike syscall.Seteuid.
	if err := setThreadUID(int(root)); err != nil {
		return fmt.Errorf("become root of the container: %w", err)
	}
	failure := f()
	if err := setThreadUID(0); err != nil {
		// A thread that stays so must not go on with other work.
		panic(fmt.Sprintf("cannot become root again: %v", err))
	}
	return failure
}

func setThreadUID(uid int) error {
	if _, _, err := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); err != 0 {
		return err
	}
	return nil
}
