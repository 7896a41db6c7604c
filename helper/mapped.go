package helper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
