package enter

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// joinCgroups moves this thread into the version 1 cgroups of a process. Version 2 knows no threads of their own: there
// the child is to be born into the directory that it returns, if the host mounts that version.
func joinCgroups(pid int) (*os.File, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return nil, err
	}
	points, err := cgroupMounts()
	if err != nil {
		return nil, err
	}
	var unified string
	for l := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSuffix(l, "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		point, mounted := points[fields[1]]
		if !mounted {
			continue
		}
		dir := filepath.Join(point, filepath.Clean("/"+fields[2]))
		if fields[1] == "" {
			unified = dir
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, "tasks"), []byte(strconv.Itoa(unix.Gettid())), 0); err != nil {
			return nil, err
		}
	}
	if unified == "" {
		return nil, nil
	}
	return os.Open(unified)
}

// cgroupMounts gives the mount point of each hierarchy, by the name that /proc/PID/cgroup has for it.
func cgroupMounts() (map[string]string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	controllers, err := hierarchyNames()
	if err != nil {
		return nil, err
	}
	points := make(map[string]string)
	for l := range strings.Lines(string(text)) {
		left, right, _ := strings.Cut(l, " - ")
		fields, rest := strings.Fields(left), strings.Fields(right)
		if len(fields) < 5 || len(rest) < 3 {
			continue
		}
		switch rest[0] {
		case "cgroup2":
			points[""] = fields[4]
		case "cgroup":
			options := strings.Split(rest[2], ",")
			for _, name := range controllers {
				if slices.Contains(options, strings.Split(name, ",")[0]) {
					points[name] = fields[4]
				}
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
