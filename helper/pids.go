package helper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
)

// limitPIDs bounds the processes of a container whose first program waits, in a cgroup above those that it sees. Where
// the kernel does not count them, nothing does.
func limitPIDs(s *config.Sandbox, init int, groups map[string]string) error {
	limit := s.Limits.PIDs
	if limit == 0 {
		return nil
	}
	var err error
	text := []byte(strconv.FormatUint(uint64(limit), 10))
	if dir, found := groups["pids"]; found {
		err = limitInOwnGroup(init, filepath.Join(dir, guest.CgroupPrefix+s.Name), text)
	} else if dir, found := groups[""]; found {
		err = limitGroup(dir, text)
	}
	if err != nil {
		return fmt.Errorf("limit processes: %w", err)
	}
	return nil
}

// limitInOwnGroup is for version 1, where libvirt makes no group of this controller: the container's root is the group
// below the one with the limit.
func limitInOwnGroup(init int, dir string, limit []byte) error {
	inner := filepath.Join(dir, "container")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "pids.max"), limit, 0); err != nil {
		return err
	}
	err := os.WriteFile(filepath.Join(inner, "cgroup.procs"), []byte(strconv.Itoa(init)), 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// limitGroup is for version 2: the limit is that of the innermost group of the container that counts, or can be made to.
func limitGroup(dir string, limit []byte) error {
	for ; isOfContainer(dir); dir = filepath.Dir(dir) {
		file := filepath.Join(dir, "pids.max")
		err := os.WriteFile(file, limit, 0)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			// A controller is switched on for the groups below one.
			if os.WriteFile(filepath.Join(filepath.Dir(dir), "cgroup.subtree_control"), []byte("+pids"), 0) != nil {
				continue
			}
			err = os.WriteFile(file, limit, 0)
		}
		return err
	}
	if controllers, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers"); err == nil && slices.Contains(strings.Fields(string(controllers)), "pids") {
		return errors.New("no group of the container can count them: the pids controller is not delegated to it")
	}
	return nil
}

// isOfContainer tells of the group that libvirt, or systemd-machined for it, made for a container, and those below.
func isOfContainer(dir string) bool {
	for part := range strings.SplitSeq(dir, "/") {
		if strings.HasPrefix(part, "lxc-") || strings.HasPrefix(part, `machine-lxc\x2d`) {
			return true
		}
	}
	return false
}
