// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernelAttempts set up the kernel, load into it, or read from it what tells of the host.
func kernelAttempts() []attempt {
	list := []attempt{
		{name: "sysfs-sweep", tries: "find a file below /sys that can be written to", fast: true,
			inside: func(*facts) error { return sweep("/sys", "/sys/fs/cgroup") }},
		{name: "sysctl-sweep", tries: "find one below /proc/sys, what is its own network's apart", fast: true,
			inside: func(*facts) error { return sweep("/proc/sys", "/proc/sys/net/ipv4", "/proc/sys/net/ipv6") }},
		{name: "bpf", tries: "make a map of BPF", fast: true, inside: func(*facts) error {
			attributes := struct{ kind, key, value, entries uint32 }{1, 4, 4, 1}
			return call(unix.SYS_BPF, 0, uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes))
		}},
		{name: "settimeofday", tries: "set the clock", inside: func(*facts) error {
			now := unix.NsecToTimeval(time.Now().UnixNano())
			return unix.Settimeofday(&now)
		}},
		{name: "audit", tries: "write into the host's audit log", inside: audit,
			refusals: []error{unix.EPROTONOSUPPORT, unix.EINVAL}},
	}
	calls := map[string][]uintptr{
		"kexec-load": {unix.SYS_KEXEC_LOAD}, "kexec-file-load": {unix.SYS_KEXEC_FILE_LOAD, ^uintptr(0), ^uintptr(0)},
		"init-module": {unix.SYS_INIT_MODULE}, "finit-module": {unix.SYS_FINIT_MODULE, ^uintptr(0)},
		"delete-module": {unix.SYS_DELETE_MODULE}, "perf": {unix.SYS_PERF_EVENT_OPEN},
		"userfaultfd": {unix.SYS_USERFAULTFD}, "io-uring": {unix.SYS_IO_URING_SETUP, 1},
		"add-key": {unix.SYS_ADD_KEY}, "request-key": {unix.SYS_REQUEST_KEY},
		"keyctl": {unix.SYS_KEYCTL, unix.KEYCTL_GET_KEYRING_ID, ^uintptr(3), 1}, "swapon": {unix.SYS_SWAPON},
		"swapoff": {unix.SYS_SWAPOFF}, "syslog": {unix.SYS_SYSLOG, 10}, "acct": {unix.SYS_ACCT},
		"quotactl":       {unix.SYS_QUOTACTL},
		"open-by-handle": {unix.SYS_OPEN_BY_HANDLE_AT, ^uintptr(99)}, "fanotify": {unix.SYS_FANOTIFY_INIT, 4},
		"reboot": {unix.SYS_REBOOT, unix.LINUX_REBOOT_MAGIC1, unix.LINUX_REBOOT_MAGIC2, unix.LINUX_REBOOT_CMD_CAD_OFF},
	}
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		list = append(list, attempt{name: name, tries: "call " + name, fast: name < "f",
			inside: func(*facts) error { return call(calls[name][0], calls[name][1:]...) }})
	}
	for _, file := range []string{
		"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches",
		"/sys/kernel/uevent_helper", "/sys/power/state", "/proc/kcore",
	} {
		list = append(list, attempt{name: "write-" + filepath.Base(file), tries: "open " + file + " for writing",
			fast: file == "/proc/sysrq-trigger", inside: opens(file, unix.O_WRONLY)})
	}
	for _, file := range []string{
		"/proc/kcore", "/proc/kmsg", "/proc/kallsyms", "/proc/keys", "/proc/timer_list", "/proc/kpageflags",
		"/proc/kpagecount", "/proc/kpagecgroup", "/proc/vmallocinfo", "/sys/kernel/debug/sched/debug",
	} {
		list = append(list, attempt{name: "read-" + filepath.Base(file), tries: "read " + file, inside: reads(file),
			refusals: []error{errNotGot}})
	}
	return list
}

// sweep looks for a file that opens for writing.
func sweep(top string, without ...string) error {
	found := error(unix.EACCES)
	err := filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		for _, w := range without {
			if name == w {
				return fs.SkipDir
			}
		}
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		if opens(name, unix.O_WRONLY)(nil) == nil {
			found = nil
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		return err
	}
	return found
}

// audit sends a message for the log as a user's program would, and asks for an acknowledgement.
func audit(*facts) error {
	const user = 1107 // AUDIT_USER_TTY and what follows are of programs
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT)
	if err != nil {
		return err
	}
	text := "op=t-attack res=success"
	message := make([]byte, unix.SizeofNlMsghdr+(len(text)+4)&^3)
	header := (*unix.NlMsghdr)(unsafe.Pointer(&message[0]))
	*header = unix.NlMsghdr{Len: uint32(len(message)), Type: user, Flags: unix.NLM_F_REQUEST | unix.NLM_F_ACK, Seq: 1}
	copy(message[unix.SizeofNlMsghdr:], text)
	if err := unix.Sendto(fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	reply := make([]byte, 1024)
	n, err := unix.Read(fd, reply)
	if err != nil || n < unix.SizeofNlMsghdr+4 {
		return err
	}
	if number := *(*int32)(unsafe.Pointer(&reply[unix.SizeofNlMsghdr])); number < 0 {
		return syscall.Errno(-number)
	}
	return nil
}

// privilegeAttempts get more than a container's root has: capabilities, priority, limits, other processes.
func privilegeAttempts() []attempt {
	return []attempt{
		{name: "file-capability", tries: "get CAP_SYS_ADMIN by a program that has it", fast: true, inside: fileCapability},
		{name: "capset", tries: "take all capabilities", inside: func(*facts) error {
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			data := [2]unix.CapUserData{{Effective: ^uint32(0), Permitted: ^uint32(0)}, {}}
			return unix.Capset(&header, &data[0])
		}},
		{name: "oom-score", tries: "be spared when memory runs out", fast: true, inside: func(*facts) error {
			return os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0)
		}},
		{name: "realtime", tries: "run before everything else", inside: func(*facts) error {
			priority := int32(50)
			return call(unix.SYS_SCHED_SETSCHEDULER, 0, 1, uintptr(unsafe.Pointer(&priority)))
		}},
		{name: "nice", tries: "run before others", inside: func(*facts) error {
			return unix.Setpriority(unix.PRIO_PROCESS, 0, -20)
		}},
		{name: "ioprio", tries: "use disks before others", inside: func(*facts) error {
			return call(unix.SYS_IOPRIO_SET, 1, 0, 1<<13)
		}},
		{name: "nofile", tries: "raise a hard limit", inside: func(*facts) error {
			var limit unix.Rlimit
			if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
				return err
			}
			limit.Max++
			return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
		}},
		{name: "iopl", tries: "get at ports of devices", inside: func(*facts) error { return call(unix.SYS_IOPL, 3) }},
		{name: "ioperm", tries: "get at a port", inside: func(*facts) error { return call(unix.SYS_IOPERM, 0x80, 1, 1) }},
		{name: "immutable", tries: "make a file immutable", inside: func(*facts) error {
			file, err := os.CreateTemp("/var/lib", "t-attack")
			if err != nil {
				return err
			}
			defer os.Remove(file.Name())
			return unix.IoctlSetPointerInt(int(file.Fd()), unix.FS_IOC_SETFLAGS, 0x10)
		}},
		{name: "freeze-usr", tries: "freeze the host's file system", inside: func(*facts) error {
			fd, err := unix.Open("/usr", unix.O_RDONLY, 0)
			if err != nil {
				return err
			}
			if err := unix.IoctlSetInt(fd, 0xc0045877, 0); err != nil {
				return err
			}
			return unix.IoctlSetInt(fd, 0xc0045878, 0)
		}},
	}
}

// fileCapability gives a copy of a program all capabilities and looks what it has.
func fileCapability(*facts) error {
	self, err := os.ReadFile("/usr/bin/grep")
	if err != nil {
		return err
	}
	const file = "/var/lib/t-attack-capable"
	defer os.Remove(file)
	if err := os.WriteFile(file, self, 0o700); err != nil {
		return err
	}
	attribute := []byte("\x01\x00\x00\x02\xff\xff\xff\xff\x00\x00\x00\x00\xff\x01\x00\x00\x00\x00\x00\x00")
	if err := unix.Setxattr(file, "security.capability", attribute, 0); err != nil {
		return err
	}
	out, err := output(file, "CapEff", "/proc/self/status")
	if err != nil {
		return unix.EPERM // The kernel refuses to execute what cannot get all that it is to have.
	}
	text, err := os.ReadFile("/proc/self/status")
	if err == nil && strings.Contains(string(text), strings.TrimSpace(out)) {
		err = unix.EPERM
	}
	return err
}
