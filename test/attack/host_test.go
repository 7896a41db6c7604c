// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

func output(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).Output()
	return string(out), err
}

// deviceAttempts get at devices of the host.
func deviceAttempts() []attempt {
	list := []attempt{
		{name: "mknod-disk", tries: "make the host's disk", fast: true, inside: func(f *facts) error {
			return unix.Mknod("/var/lib/t-attack-disk", unix.S_IFBLK|0o600, int(f.Device))
		}},
		{name: "mknod-mem", tries: "make /dev/mem", inside: func(*facts) error {
			return unix.Mknod("/dev/t-attack-mem", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 1)))
		}},
		{name: "planted-disk", tries: "open a disk that lies in the content", fast: true, inside: func(f *facts) error {
			return opens(f.Planted, unix.O_RDONLY)(f)
		}},
		{name: "vsock", tries: "speak to the hypervisor", inside: func(*facts) error {
			_, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)
			return err
		}},
		{name: "vsock-32", tries: "speak to the hypervisor by the calls of 32 bits", inside: func(*facts) error {
			return call32(359, unix.AF_VSOCK, unix.SOCK_STREAM)
		}},
		{name: "devices-allow", tries: "allow its cgroup all devices", inside: func(*facts) error {
			err := os.WriteFile("/sys/fs/cgroup/devices/devices.allow", []byte("a *:* rwm"), 0)
			if err == nil {
				err = opens("/var/lib/t-attack-planted", unix.O_RDONLY)(nil)
			}
			return err
		}},
		{name: "tiocsti", tries: "type into a terminal", inside: func(*facts) error {
			fd, err := unix.Open("/dev/console", unix.O_RDWR|unix.O_NOCTTY, 0)
			if err != nil {
				return err
			}
			letter := byte('x')
			return call(unix.SYS_IOCTL, uintptr(fd), unix.TIOCSTI, uintptr(unsafe.Pointer(&letter)))
		}, refusals: []error{unix.EIO}},
	}
	for _, name := range []string{
		"mem", "port", "kmsg", "vda", "sda", "nvme0n1", "loop-control", "loop0", "fuse", "kvm", "net/tun", "vhost-net",
		"vhost-vsock", "vsock", "uinput", "snapshot", "btrfs-control", "mapper/control", "userfaultfd", "vfio/vfio", "rtc0",
		"tty0", "vcs", "watchdog", "cpu_dma_latency", "hwrng", "nbd0",
	} {
		list = append(list, attempt{name: "dev-" + strings.ReplaceAll(name, "/", "-"), tries: "open /dev/" + name,
			inside: opens("/dev/"+name, unix.O_RDWR)})
	}
	return list
}

// hostAttempts reach processes, sockets, memory, keys and files of the host.
func hostAttempts() []attempt {
	list := []attempt{
		{name: "abstract-socket", tries: "connect to a socket of the host without a file", fast: true,
			inside: func(f *facts) error { return dial("unix", f.Abstract) }},
		{name: "host-loopback", tries: "connect to a server on the host's 127.0.0.1", fast: true,
			inside: func(f *facts) error { return dial("tcp", fmt.Sprintf("127.0.0.1:%d", f.Port)) }},
		{name: "shared-memory", tries: "attach shared memory of the host", inside: func(f *facts) error {
			_, err := unix.SysvShmAttach(f.Shm, 0, unix.SHM_RDONLY)
			return err
		}, refusals: []error{unix.EINVAL}},
		{name: "host-key", tries: "read a key that everybody may read", fast: true, inside: func(f *facts) error {
			_, err := unix.KeyctlBuffer(unix.KEYCTL_READ, f.Key, make([]byte, 64), 0)
			return err
		}},
		{name: "host-process", tries: "see a process of the host", inside: func(f *facts) error {
			files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, file := range files {
				if text, _ := os.ReadFile(file); bytes.HasPrefix(text, []byte("sleep\x00")) &&
					bytes.Contains(text, []byte(f.Marker)) {
					return nil
				}
			}
			return unix.ENOENT
		}},
		{name: "secrets", tries: "read files of the host's root, wherever they lie", fast: true,
			inside: anySecret(func(file string) string { return file })},
		{name: "secrets-oldroot", tries: "read them below the former root",
			inside: anySecret(func(file string) string { return "/.oldroot" + file })},
		{name: "secrets-proc-root", tries: "read them by /proc/1/root",
			inside: anySecret(func(file string) string { return "/proc/1/root/.." + file })},
		{name: "secrets-chroot", tries: "read them out of a chroot that has been left", inside: chrootOut},
		{name: "descriptors", tries: "find files of the host among those it was given", fast: true, inside: descriptors},
		{name: "run-host-write", tries: "change what lies in /run/host", fast: true, inside: runHost},
		{name: "init-write", tries: "write to the host's virt-sandbox-init",
			inside: opens("/run/host/virt-sandbox-init", unix.O_WRONLY)},
		{name: "usr-write", tries: "write to a program of the host", fast: true, inside: opens("/usr/bin/env", unix.O_RDWR)},
		{name: "usr-times", tries: "change when a program of the host was changed", inside: func(*facts) error {
			now := unix.NsecToTimespec(0)
			return unix.UtimesNano("/usr/bin/env", []unix.Timespec{now, now})
		}},
		{name: "usr-attribute", tries: "give a program of the host an attribute", inside: func(*facts) error {
			return unix.Setxattr("/usr/bin/env", "user.t-attack", []byte("x"), 0)
		}},
		{name: "usr-link", tries: "link a program of the host into its own", inside: func(*facts) error {
			return unix.Linkat(unix.AT_FDCWD, "/usr/bin/env", unix.AT_FDCWD, "/var/lib/t-attack-env", 0)
		}, refusals: []error{unix.EXDEV}},
		{name: "usr-tmpfile", tries: "make a file without a name in /usr", inside: opens("/usr/bin",
			unix.O_TMPFILE|unix.O_RDWR)},
	}
	return list
}

func dial(network, address string) error {
	connection, err := net.Dial(network, address)
	if err == nil {
		connection.Close()
	}
	return err
}

// anySecret reads and connects to what lies at places that follow from those of the secrets.
func anySecret(place func(string) string) func(*facts) error {
	return func(f *facts) error {
		if len(f.Secrets) == 0 {
			return errNotGot
		}
		found := error(unix.ENOENT)
		for _, file := range f.Secrets {
			if reads(place(file))(f) == nil || dial("unix", place(file)+".socket") == nil {
				return nil
			}
		}
		return found
	}
}

func chrootOut(f *facts) error {
	dir, err := place()
	if err != nil {
		return err
	}
	outside, err := unix.Open("/", unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(unix.Chroot(dir), unix.Fchdir(outside)); err != nil {
		return err
	}
	for range 30 {
		_ = unix.Chdir("..")
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	return anySecret(func(file string) string { return file })(f)
}

// descriptors looks at what is open beside what it has made itself, here and in the first process.
func descriptors(f *facts) error {
	for _, dir := range []string{"/proc/self/fd/", "/proc/1/fd/"} {
		for number := range 64 {
			target, err := os.Readlink(fmt.Sprintf("%s%d", dir, number))
			if err != nil || !filepath.IsAbs(target) {
				continue
			}
			for _, secret := range f.Secrets {
				if target == secret {
					return nil
				}
			}
			if strings.HasPrefix(target, "/var/lib/libvirt/") || strings.HasPrefix(target, "/run/libvirt") {
				return nil
			}
		}
	}
	return unix.ENOENT
}

func runHost(*facts) error {
	names, err := filepath.Glob("/run/host/*")
	if err != nil {
		return err
	}
	for _, name := range names {
		for _, err := range []error{os.Rename(name, name+".old"), os.Chmod(name, 0o777), os.Remove(name)} {
			if err == nil {
				return nil
			}
		}
	}
	return os.WriteFile("/run/host/new", nil, 0o644)
}

// sharedAttempts hinder the host by what it shares with containers: its files, and numbers that the kernel has once.
func sharedAttempts() []attempt {
	return []attempt{
		{name: "lease", tries: "have the host wait for a lease on its own files", fast: true, inside: func(*facts) error {
			names, err := filepath.Glob("/usr/bin/*")
			if err != nil {
				return err
			}
			err = unix.ENOENT
			for _, name := range append([]string{"/etc/passwd"}, names...) {
				fd, openErr := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
				if openErr != nil {
					continue
				}
				// A file that somebody else has open can have none.
				_, err = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_WRLCK)
				unix.Close(fd)
				if !errors.Is(err, unix.EAGAIN) {
					return err
				}
			}
			return err
		}},
		{name: "aio", tries: "use up the host's requests of asynchronous input and output", inside: aioAll,
			refusals: []error{unix.ENOMEM, errNotGot}},
		{name: "lock-usr", tries: "hold a lock on a file of the host's /usr", inside: func(*facts) error {
			fd, err := unix.Open("/usr/bin/env", unix.O_RDONLY, 0)
			if err != nil {
				return err
			}
			return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		}, remains: map[wall]string{plain: lockReason, mapped: lockReason}},
	}
}

// aioAll uses up the requests of asynchronous input and output that the whole host has where 50-virt-sandbox.conf does
// not count; they are given back with the process.
func aioAll(*facts) error {
	for range 1 << 5 {
		var context uint64
		_, _, errno := unix.Syscall(unix.SYS_IO_SETUP, 1<<14, uintptr(unsafe.Pointer(&context)), 0)
		switch {
		case errors.Is(errno, unix.EAGAIN):
			return nil
		case errno != 0:
			return errno
		}
	}
	return errNotGot
}

const lockReason = "who may read a file may lock it; a program of the host that locks files below /usr waits"
