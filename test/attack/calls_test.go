// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// callAttempts make more of the kernel's calls that reach the host, or take hold of other processes by new ways.
func callAttempts() []attempt {
	calls := map[string][]uintptr{
		"pidfd-getfd":       {unix.SYS_PIDFD_GETFD, ^uintptr(0), 0, 0},
		"kcmp":              {unix.SYS_KCMP, 1, 1, 0, 0, 0},
		"process-madvise":   {unix.SYS_PROCESS_MADVISE, ^uintptr(0), 0, 0, unix.MADV_COLD, 0},
		"move-pages":        {unix.SYS_MOVE_PAGES, 1, 0, 0, 0, 0, 0},
		"migrate-pages":     {unix.SYS_MIGRATE_PAGES, 1, 0, 0, 0},
		"set-mempolicy":     {unix.SYS_SET_MEMPOLICY, 0, 0, 0},
		"quotactl-fd":       {unix.SYS_QUOTACTL_FD, ^uintptr(0), 0, 0, 0},
		"io-uring-enter":    {unix.SYS_IO_URING_ENTER, ^uintptr(0), 0, 0, 0, 0},
		"io-uring-register": {unix.SYS_IO_URING_REGISTER, ^uintptr(0), 0, 0, 0},
	}
	var list []attempt
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		list = append(list, attempt{name: name, tries: "call " + name,
			inside: func(*facts) error { return call(calls[name][0], calls[name][1:]...) }})
	}
	return append(list, []attempt{
		{name: "clock-settime", tries: "set the clock by its number", inside: func(*facts) error {
			var now unix.Timespec
			if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil {
				return err
			}
			return call(unix.SYS_CLOCK_SETTIME, unix.CLOCK_REALTIME, uintptr(unsafe.Pointer(&now)))
		}},
		{name: "adjtimex", tries: "have the clock go faster", inside: func(*facts) error {
			const frequency = 2
			_, err := unix.Adjtimex(&unix.Timex{Modes: frequency, Freq: 1 << 16})
			return err
		}},
		{name: "alarm-timer", tries: "wake the host from its sleep", inside: func(*facts) error {
			fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME_ALARM, 0)
			if err == nil {
				unix.Close(fd)
			}
			return err
		}},
		{name: "deadline", tries: "run before all else by deadlines", inside: func(*facts) error {
			return unix.SchedSetAttr(0, &unix.SchedAttr{
				Size: unix.SizeofSchedAttr, Policy: unix.SCHED_DEADLINE, Runtime: 9e6, Deadline: 1e7, Period: 1e7,
			}, 0)
		}},
		{name: "console-to-itself", tries: "have the host's console shown to it", inside: func(*facts) error {
			fd, err := unix.Open("/dev/console", unix.O_RDWR|unix.O_NOCTTY, 0)
			if err != nil {
				return err
			}
			return call(unix.SYS_IOCTL, uintptr(fd), unix.TIOCCONS, 0)
		}},
		{name: "new-device", tries: "make a device of the host by reading", host: newDevice},
		{name: "registers", tries: "read the registers of the host's devices", inside: registers},
		{name: "root-only-sweep", tries: "read what only root may below /proc and /sys, settings and crash_notes apart",
			host: rootOnly},
		{name: "cgroups", tries: "make so many cgroups that the host can make none", fast: true, inside: manyCgroups,
			refusals: []error{unix.EAGAIN}},
		{name: "endless-memory-fs", tries: "write to a file system in memory without a bound", inside: endlessMemory,
			refusals: []error{errNotGot}},
	}...)
}

func rootOnly(t *testing.T, b *box) error {
	r := service(t, 3*time.Minute, "execute", b.name, "--", "/var/lib/"+insideProgram, "do", "root-only")
	if r.status != 0 || r.text != "" {
		t.Logf("status %d: %.2000s", r.status, r.text)
		return nil
	}
	return errHeld
}

// printRootOnly looks for files of the kernel's, not of a process, that have something and that only root may read.
func printRootOnly() error {
	without := []string{
		"/proc/sys", "/sys/fs/cgroup", "/sys/module", "/sys/devices/virtual/net", "/sys/kernel/slab", "/proc/self",
		"/proc/thread-self",
	}
	for _, top := range []string{"/proc", "/sys"} {
		err := filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
			_, noProcess := strconv.Atoi(strings.TrimPrefix(name, "/proc/"))
			if err != nil || slices.Contains(without, name) || noProcess == nil {
				if d != nil && d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			if strings.HasPrefix(d.Name(), "crash_notes") {
				// Two of each processor, with an address of its memory: a cover for each would be too many mounts.
				return nil
			}
			info, err := d.Info()
			if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o044 == 0 && reads(name)(nil) == nil {
				fmt.Println(name)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// registers looks for a device of PCI whose memory can be mapped and read.
func registers(*facts) error {
	files, err := filepath.Glob("/sys/devices/pci*/*/resource[0-9]")
	if err != nil {
		return err
	}
	refusal := error(unix.ENOENT)
	for _, file := range files {
		fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			refusal = err
			continue
		}
		defer unix.Close(fd)
		if _, err = unix.Mmap(fd, 0, 4096, unix.PROT_READ, unix.MAP_SHARED); err == nil {
			return nil
		}
		refusal = err
	}
	return refusal
}

// newDevice has zram(4) make one, where the host has that.
func newDevice(t *testing.T, b *box) error {
	const devices, file = "/sys/block/zram*", "/sys/class/zram-control/hot_"
	before, err := filepath.Glob(devices)
	if err != nil {
		t.Fatal(err)
	}
	out := service(t, time.Minute, "execute", b.name, "--", "cat", file+"add")
	after, err := filepath.Glob(devices)
	if err != nil {
		t.Fatal(err)
	}
	if len(after) > len(before) {
		_ = os.WriteFile(file+"remove", []byte(strings.TrimSpace(out.text)), 0)
		return nil
	}
	return errHeld
}

// manyCgroups makes a good part of the 65,535 groups with a bound of memory that the kernel has, and takes them away.
func manyCgroups(*facts) error {
	const enough = 8000
	result := error(unix.ENOENT)
	for _, top := range []string{"/sys/fs/cgroup/memory", "/sys/fs/cgroup"} {
		if _, err := os.Stat(top + "/cgroup.procs"); err != nil {
			continue
		}
		_ = os.WriteFile(top+"/cgroup.subtree_control", []byte("+memory"), 0)
		dir := top + "/t-attack"
		if err := os.Mkdir(dir, 0o755); err != nil {
			result = errors.Unwrap(err)
			continue
		}
		_ = os.WriteFile(dir+"/cgroup.subtree_control", []byte("+memory"), 0)
		made := 0
		for ; made < enough; made++ {
			if err := unix.Mkdir(dir+"/"+strconv.Itoa(made), 0o755); err != nil {
				result = err
				break
			}
		}
		for i := range made {
			_ = unix.Rmdir(dir + "/" + strconv.Itoa(i))
		}
		_ = unix.Rmdir(dir)
		if made == enough {
			return nil
		}
	}
	return result
}

// endlessMemory looks for one whose size or number of files the kernel does not bound, or by more than all memory.
func endlessMemory(*facts) error {
	var system unix.Sysinfo_t
	if err := unix.Sysinfo(&system); err != nil {
		return err
	}
	all := uint64(system.Totalram) * uint64(system.Unit)
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		words := strings.Fields(line)
		var stat unix.Statfs_t
		if len(words) < 4 || words[2] != "tmpfs" || unix.Statfs(words[1], &stat) != nil {
			continue
		}
		size, isReadOnly := stat.Blocks*uint64(stat.Bsize), stat.Flags&unix.ST_RDONLY != 0
		if !isReadOnly && (size == 0 || size > all || stat.Files == math.MaxUint64) {
			return nil
		}
	}
	return errNotGot
}
