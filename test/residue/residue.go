// SPDX-License-Identifier: Apache-2.0

// Package residue lists all that a container can leave on a host, so that tests can tell whether one has left
// something.
package residue

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	configDir = "/etc/libvirt-sandbox/services"
	shared    = "/var/lib/virt-sandbox/.etc" // what all containers see of the host's /etc
)

// List returns files, mounts, block devices, network interfaces, domains, cgroups and processes, sorted.
func List() ([]string, error) {
	var list []string
	for _, dir := range []string{"/etc/libvirt-sandbox", "/var/lib/libvirt/filesystems", "/var/lib/libvirt/images",
		"/var/lib/virt-sandbox", "/var/log/journal", "/run/log/journal", "/run/virt-sandbox", "/run/libvirt/lxc",
		"/var/log/libvirt/lxc",
		"/etc/systemd/system", "/sys/fs/cgroup"} {
		_ = filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
			if p == shared {
				return fs.SkipDir
			}
			if err == nil && p != dir && p != configDir && (dir != "/sys/fs/cgroup" || (e.IsDir() && ofContainer(p))) {
				list = append(list, "file "+p)
			}
			return nil
		})
	}
	if stray, err := filepath.Glob("/tmp/virt-sandbox*"); err == nil {
		list = append(list, stray...)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	for l := range strings.Lines(string(mounts)) {
		list = append(list, "mount "+strings.TrimSpace(l))
	}
	loops, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	nbds, _ := filepath.Glob("/sys/block/nbd*/pid")
	for _, attribute := range append(loops, nbds...) {
		list = append(list, "device "+attribute)
	}
	links, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		list = append(list, "interface "+link.Name)
	}
	domains, err := exec.Command("virsh", "-q", "-c", "lxc:///", "list", "--all", "--name").Output()
	if err != nil {
		return nil, fmt.Errorf("list domains: %w", err)
	}
	for name := range strings.FieldsSeq(string(domains)) {
		list = append(list, "domain "+name)
	}
	list = append(list, Processes()...)
	slices.Sort(list)
	return list, nil
}

// ofContainer tells of cgroups that libvirt, we, or a systemd inside would make; others come and go with the host's
// work. The slices of templates and of machines are systemd's, which keeps them.
func ofContainer(cgroup string) bool {
	if name := filepath.Base(cgroup); name == "machine.slice" ||
		(strings.HasPrefix(name, "system-") && strings.HasSuffix(name, ".slice")) {
		return false
	}
	if _, unit, found := strings.Cut(cgroup, "/system.slice/"); found && ofHost(unit) {
		return false
	}
	for _, mark := range []string{"/virt-sandbox-", "/lxc-", "libvirt", ".scope", ".slice"} {
		if strings.Contains(cgroup, mark) {
			return true
		}
	}
	return false
}

// ofHost reports whether what lies in system.slice is a unit of the host's own, as one that a timer starts: no
// instance, no scope, and not made by the original tool.
func ofHost(unit string) bool {
	unit, _, _ = strings.Cut(unit, "/")
	return strings.HasSuffix(unit, ".service") && !strings.ContainsAny(unit, "@_") && !strings.HasPrefix(unit, "t-") &&
		!strings.Contains(unit, "virt-sandbox")
}

// Processes lists those of ours and of libvirt's containers that are alive, each as "process PID COMMAND".
func Processes() []string {
	var list []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		command := strings.ReplaceAll(strings.TrimRight(string(data), "\x00"), "\x00", " ")
		name := filepath.Base(strings.Fields(command + " -")[0])
		ours := strings.HasPrefix(name, "virt-sandbox") && !strings.HasSuffix(name, ".test") // unit tests may run beside
		if ours || name == "libvirt_lxc" {
			list = append(list, fmt.Sprintf("process %s %s", filepath.Base(filepath.Dir(file)), command))
		}
	}
	return list
}

// Differences tells how the host is not as it was when before was listed. What ends by itself, like a process that has
// been told to, gets a moment.
func Differences(before []string) []string {
	var differences []string
	for range 40 {
		now, err := List()
		if err != nil {
			return []string{err.Error()}
		}
		differences = nil
		for _, line := range now {
			if _, found := slices.BinarySearch(before, line); !found {
				differences = append(differences, "left behind: "+line)
			}
		}
		for _, line := range before {
			// A process that was about to end then may have.
			if _, found := slices.BinarySearch(now, line); !found && !strings.HasPrefix(line, "process ") {
				differences = append(differences, "gone: "+line)
			}
		}
		if len(differences) == 0 {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return differences
}
