// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The tests' binary is a second program, attempt, for use inside containers: it runs lists of attempts, and makes those
// for which there is no command.
const attemptProgram = "/usr/local/bin/attempt"

// attemptMain is that program.
func attemptMain(args []string) int {
	if len(args) == 0 {
		args = []string{""}
	}
	var err error
	switch args[0] {
	case "all":
		err = runAttempts()
	case "hold":
		err = hold()
	case "as-machine":
		err = attemptAsMachine(args[1])
	case "watch-entering":
		err = watchEntering(args[1])
	case "hold-key":
		err = holdOnlyKey()
	default:
		err = attempt(args[0], args[1:]...)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "attempt %s: %v\n", args[0], err)
		return 1
	}
	return 0
}

// attemptResult is how an attempt of a list went.
type attemptResult struct {
	Command string
	Status  int
	Output  string
}

// runAttempts runs the lines of standard input with a shell and prints an attemptResult for each.
func runAttempts() error {
	results := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		command := exec.CommandContext(ctx, "/bin/sh", "-c", lines.Text())
		command.WaitDelay = time.Second
		output, err := command.CombinedOutput()
		cancel()
		result := attemptResult{Command: lines.Text(), Output: string(output)}
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit):
			result.Status = max(exit.ExitCode(), 1)
		case err != nil:
			result.Status, result.Output = -1, err.Error()
		}
		if err := results.Encode(result); err != nil {
			return err
		}
	}
	return lines.Err()
}

// held is what the other container has in shared namespaces.
type held struct{ PID, SharedMemory, Key int }

// hold offers everything that another container could reach, prints a held and stays until standard input ends.
func hold() error {
	var h held
	stream, err := net.Listen("unix", "@virt-sandbox-other")
	if err != nil {
		return err
	}
	defer stream.Close()
	datagram, err := net.ListenPacket("unixgram", "@virt-sandbox-other-dgram")
	if err != nil {
		return err
	}
	defer datagram.Close()
	if h.SharedMemory, err = unix.SysvShmGet(unix.IPC_PRIVATE, 4096, unix.IPC_CREAT|0o666); err != nil {
		return fmt.Errorf("shared memory: %w", err)
	}
	defer func() { _, _ = unix.SysvShmCtl(h.SharedMemory, unix.IPC_RMID, nil) }()
	if h.Key, err = holdKey(); err != nil {
		return err
	}
	return h.stay()
}

// holdOnlyKey is hold with nothing but a key.
func holdOnlyKey() (err error) {
	var h held
	if h.Key, err = holdKey(); err != nil {
		return err
	}
	return h.stay()
}

func (h held) stay() error {
	h.PID = os.Getpid()
	if err := json.NewEncoder(os.Stdout).Encode(h); err != nil {
		return err
	}
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
	return nil
}

// holdKey makes a key that every process of the same user could read. A session keyring is one thread's: the caller
// stays on it for good.
func holdKey() (int, error) {
	runtime.LockOSThread()
	if _, err := unix.KeyctlJoinSessionKeyring("virt-sandbox-test"); err != nil {
		return 0, fmt.Errorf("join keyring: %w", err)
	}
	key, err := unix.AddKey("user", "virt-sandbox-test", []byte("secret"), unix.KEY_SPEC_SESSION_KEYRING)
	if err != nil {
		return 0, fmt.Errorf("add key: %w", err)
	}
	if err := unix.KeyctlSetperm(key, 0x3f3f3f3f); err != nil {
		return 0, fmt.Errorf("open key to all: %w", err)
	}
	return key, nil
}

// attempt makes one attempt.
func attempt(name string, args ...string) error {
	number := func() int { n, _ := strconv.Atoi(args[0]); return n }
	errnoOf := func(errno syscall.Errno) error {
		if errno == 0 {
			return nil
		}
		return errno
	}
	switch name {
	case "connect":
		connection, err := net.Dial("unix", args[0])
		if err == nil {
			connection.Close()
		}
		return err
	case "sendto":
		connection, err := net.Dial("unixgram", args[0])
		if err != nil {
			return err
		}
		_, err = connection.Write([]byte("x"))
		return err
	case "shm":
		_, err := unix.SysvShmAttach(number(), 0, 0)
		return err
	case "ptrace":
		if err := unix.PtraceAttach(number()); err != nil {
			return err
		}
		return unix.PtraceDetach(number())
	case "setns":
		process, err := unix.PidfdOpen(number(), 0)
		if err != nil {
			return err
		}
		return errors.Join(unix.Unshare(unix.CLONE_FS), unix.Setns(process, unix.CLONE_NEWNS|unix.CLONE_NEWNET))
	case "mount":
		return attemptMount(args)
	case "umount":
		return unix.Unmount(args[0], 0)
	case "mknod":
		return unix.Mknod(args[0], unix.S_IFBLK|0o600, int(unix.Mkdev(259, 0)))
	case "module":
		image := []byte("no module")
		_, _, errno := unix.Syscall(unix.SYS_INIT_MODULE, uintptr(unsafe.Pointer(&image[0])), uintptr(len(image)),
			uintptr(unsafe.Pointer(new(byte))))
		return errnoOf(errno)
	case "kexec":
		_, _, errno := unix.Syscall6(unix.SYS_KEXEC_LOAD, 0, 0, 0, 0, 0, 0)
		return errnoOf(errno)
	case "bpf":
		attributes := struct{ kind, key, value, entries uint32 }{1, 4, 4, 1}
		_, _, errno := unix.Syscall(unix.SYS_BPF, 0, uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes))
		return errnoOf(errno)
	case "perf":
		_, err := unix.PerfEventOpen(&unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE,
			Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{}))}, -1, 0, -1, 0)
		return err
	case "clock":
		now := unix.NsecToTimeval(time.Now().UnixNano())
		return unix.Settimeofday(&now)
	case "iopl":
		_, _, errno := unix.Syscall(unix.SYS_IOPL, 3, 0, 0)
		return errnoOf(errno)
	case "swapon":
		path := []byte("/dev/null\x00")
		_, _, errno := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(&path[0])), 0, 0)
		return errnoOf(errno)
	case "freeze":
		return attemptFreeze(args[0])
	case "open-by-handle":
		return attemptHandle("/usr")
	case "chroot-out":
		return attemptChroot()
	}
	return fmt.Errorf("there is no attempt %q", name)
}

// attemptMount takes SOURCE TARGET bind|remount|TYPE [DATA].
func attemptMount(args []string) error {
	switch args[2] {
	case "bind":
		return unix.Mount(args[0], args[1], "", unix.MS_BIND, "")
	case "remount":
		return unix.Mount(args[0], args[1], "", unix.MS_REMOUNT|unix.MS_RDONLY, "")
	}
	data := ""
	if len(args) > 3 {
		data = args[3]
	}
	return unix.Mount(args[0], args[1], args[2], 0, data)
}

// attemptFreeze freezes a file system; a success is undone at once.
func attemptFreeze(dir string) error {
	const freeze, thaw = 0xc0045877, 0xc0045878
	fd, err := unix.Open(dir, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	if err := unix.IoctlSetInt(fd, freeze, 0); err != nil {
		return err
	}
	return unix.IoctlSetInt(fd, thaw, 0)
}

// attemptHandle opens a file by what identifies it in its file system, past all mounts.
func attemptHandle(file string) error {
	handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, file, 0)
	if err != nil {
		return err
	}
	mount, err := unix.Open("/", unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	_, err = unix.OpenByHandleAt(mount, handle, unix.O_RDONLY)
	return err
}

// attemptChroot leaves a chroot by the old way, a directory that stays open outside, and looks for the host's
// processes.
func attemptChroot() error {
	dir, err := os.MkdirTemp("/var/www", "out")
	if err != nil {
		return err
	}
	defer os.Remove(dir)
	outside, err := unix.Open(".", unix.O_RDONLY, 0)
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
	_, err = os.ReadDir("/var/lib/libvirt/qemu")
	if err == nil {
		return nil
	}
	return fmt.Errorf("permission denied: %w", err)
}
