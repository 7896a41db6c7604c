// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fileCapabilities is the attribute of a program that has capabilities of its own.
const fileCapabilities = "security.capability"

// setUserID looks in a directory that users of the host reach for what would give them another's rights.
func setUserID(t *testing.T, b *box) error {
	other, dir := b.sharing(t)
	other.install(t)
	r := service(t, time.Minute, "execute", other.name, "--", "/var/lib/"+insideProgram, "do", "leave-set-id")
	if r.status != 0 {
		t.Fatalf("the attempt: %s", r.text)
	}
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var stat unix.Stat_t
		if err := unix.Lstat(name, &stat); err != nil {
			return err
		}
		if stat.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
			t.Logf("%s has the mode %#o", name, stat.Mode)
			return errLeft
		}
		if n, err := unix.Lgetxattr(name, fileCapabilities, nil); err == nil && n > 0 {
			t.Logf("%s has capabilities", name)
			return errLeft
		}
		return nil
	})
	if errors.Is(err, errLeft) {
		return nil
	}
	return errors.Join(err, errHeld)
}

var errLeft = errors.New("left")

// leaveSetID tries, in the shared directory, every call that could make a program that runs with more than its user's
// rights. What fails is no matter: the host looks at what is there.
func leaveSetID() error {
	const dir, mode = "/srv/shared/", 0o6755
	plain := func(name string) string {
		file, err := os.Create(dir + name)
		if err == nil {
			file.Close()
		}
		return dir + name
	}
	_ = unix.Chmod(plain("chmod"), mode)
	_ = unix.Fchmodat(unix.AT_FDCWD, plain("fchmodat"), mode, 0)
	raw := func(call uintptr, name string, arguments ...uintptr) int {
		text, err := unix.BytePtrFromString(dir + name)
		if err != nil {
			return -1
		}
		list := append([]uintptr{^uintptr(99), uintptr(unsafe.Pointer(text))}, arguments...)
		list = append(list, 0, 0, 0, 0)
		if call == unix.SYS_OPEN || call == unix.SYS_CREAT || call == unix.SYS_MKNOD {
			list = list[1:]
		}
		got, _, _ := unix.Syscall6(call, list[0], list[1], list[2], list[3], list[4], list[5])
		return int(got)
	}
	const fchmodat2 = 452
	plain("fchmodat2")
	raw(fchmodat2, "fchmodat2", mode, 0)
	plain("high-bits")
	raw(unix.SYS_FCHMODAT, "high-bits", 1<<40|1<<20|mode)
	raw(unix.SYS_OPEN, "open", unix.O_CREAT|unix.O_RDWR, mode)
	raw(unix.SYS_OPENAT, "openat", unix.O_CREAT|unix.O_RDWR, mode)
	raw(unix.SYS_CREAT, "creat", mode)
	raw(unix.SYS_MKNOD, "mknod", unix.S_IFREG|mode)
	raw(unix.SYS_MKNODAT, "mknodat", unix.S_IFREG|mode)
	raw(unix.SYS_MKDIRAT, "mkdirat", mode)
	how := unix.OpenHow{Flags: unix.O_CREAT | unix.O_RDWR, Mode: mode}
	raw(unix.SYS_OPENAT2, "openat2", uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how))
	if fd := raw(unix.SYS_OPENAT, "", unix.O_TMPFILE|unix.O_RDWR, mode); fd >= 0 {
		_ = unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, dir+"nameless",
			unix.AT_SYMLINK_FOLLOW)
	}
	if file, err := os.Create(dir + "fchmod"); err == nil {
		_ = unix.Fchmod(int(file.Fd()), mode)
	}
	leaveCapabilities(plain)
	return errors.Join(leaveSocket(dir+"socket", mode), leaveElsewhere(dir, mode))
}

// leaveSocket makes a socket, whose file has the mode of the socket.
func leaveSocket(name string, mode uint32) error {
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	_ = unix.Fchmod(socket, mode)
	_ = unix.Bind(socket, &unix.SockaddrUnix{Name: name})
	return nil
}

// leaveCapabilities gives a program all capabilities: as of a kernel before user namespaces, and as of one with them
// (capabilities(7)).
func leaveCapabilities(plain func(string) string) {
	const revision2, revision3, effective = 0x02000000, 0x03000000, 1
	all := []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}
	head := func(revision uint32) []byte {
		return []byte{effective, 0, 0, byte(revision >> 24)}
	}
	_ = unix.Setxattr(plain("capability-2"), fileCapabilities, append(head(revision2), all...), 0)
	_ = unix.Setxattr(plain("capability-3"), fileCapabilities, append(append(head(revision3), all...), 0, 0, 0, 0), 0)
}

// leaveElsewhere makes the program in memory and in the container's own files, and brings it over by a name.
func leaveElsewhere(dir string, mode uint32) error {
	for i, from := range []string{"/tmp/set-id", "/var/lib/set-id", "/dev/shm/set-id"} {
		if err := os.WriteFile(from, nil, 0o755); err != nil {
			return err
		}
		_ = unix.Chmod(from, mode)
		to := fmt.Sprintf("%selsewhere%d", dir, i)
		_ = unix.Link(from, to)
		_ = unix.Rename(from, to)
	}
	return nil
}
