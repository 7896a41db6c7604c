package enter

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// joinThread moves this thread into those of the groups that are of version 1.
func joinThread(groups map[string]string) error {
	for name, dir := range groups {
		if name == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, "tasks"), []byte(strconv.Itoa(unix.Gettid())), 0); err != nil {
			return err
		}
	}
	return nil
}

// Cgroups gives the directories of the cgroups of a process on this host, by the names that /proc/PID/cgroup has for their
// hierarchies; "" is version 2.
func Cgroups(pid int) (map[string]string, error) {
	text, err := proc.Host.Cgroup(pid)
	if err != nil {
		return nil, err
	}
	points, err := cgroupMounts()
	if err != nil {
		return nil, err
	}
	groups := make(map[string]string)
	for l := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSuffix(l, "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		if point, mounted := points[fields[1]]; mounted {
			groups[fields[1]] = filepath.Join(point, filepath.Clean("/"+fields[2]))
		}
	}
	return groups, nil
}

// cgroupMounts gives the mount point of each hierarchy, by the name that /proc/PID/cgroup has for it.
func cgroupMounts() (map[string]string, error) {
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	controllers, err := hierarchyNames()
	if err != nil {
		return nil, err
	}
	points := make(map[string]string)
	for _, m := range mounts {
		if m.FSType == "cgroup2" {
			points[""] = m.Mountpoint
			continue
		}
		options := strings.Split(m.VFSOptions, ",")
		for _, name := range controllers {
			if slices.Contains(options, strings.Split(name, ",")[0]) {
				points[name] = m.Mountpoint
			}
		}
	}
	return points, nil
}

func hierarchyNames() ([]string, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	var names []string
	for l := range strings.Lines(string(text)) {
		if fields := strings.SplitN(l, ":", 3); len(fields) == 3 && fields[1] != "" {
			names = append(names, fields[1])
		}
	}
	return names, nil
}
