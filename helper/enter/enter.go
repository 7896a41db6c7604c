// Package enter runs a command in all namespaces, the cgroup and under the label of a running container. In: the
// container's first process; out: the command's exit status. execute and connect call it, and the helper to read the
// container's journal.
package enter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/opencontainers/selinux/go-selinux"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/guest"
)

// Target is the container to enter.
type Target struct {
	InitPID int    // of its first process, in the caller's PID namespace
	Label   string // SELinux context to run under; empty to keep the caller's
	Root    uint32 // the host's number of the user that is root there; 0 where there is no user namespace
	Profile string // AppArmor profile to run under; empty to keep the caller's
}

// Command is what to run there.
type Command struct {
	Args           []string
	Environment    []string // NAME=VALUE, nothing of the caller's is added
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Terminal gives the command a terminal of the container, joined with the caller's, which Stdin and Stdout must be.
	Terminal bool

	inside, terminal *os.File // both ends of that
}

// Environment is what a login as root would set; the caller adds to it.
func Environment(name string) []string {
	return []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh", "container=lxc-libvirt", "VIRT_SANDBOX=" + name,
	}
}

// startFunc starts a command.
type startFunc func(*exec.Cmd) error

// result is how a command ended.
type result struct {
	status int
	err    error
}

// Run runs the command and returns its exit status: 128 and the signal's number where a signal ended it,
// StatusNotFound or StatusNotExecutable where it could not be executed.
func Run(ctx context.Context, target Target, command Command) (int, error) {
	done := make(chan result, 1)
	go func() {
		// Never unlocked: the thread has left the host's namespaces for good and ends with the goroutine.
		runtime.LockOSThread()
		status, err := runHere(ctx, target, command)
		done <- result{status, err}
	}()
	r := <-done
	return r.status, r.err
}

func runHere(ctx context.Context, target Target, command Command) (int, error) {
	bounding, err := BoundingSet(target.InitPID)
	if err != nil {
		return 0, fmt.Errorf("read the container's capabilities: %w", err)
	}
	if command.Terminal {
		// While this thread's /proc is the host's.
		if command.inside, command.terminal, err = openTerminal(target); err != nil {
			return 0, fmt.Errorf("open a terminal of the container: %w", err)
		}
		defer command.inside.Close()
		defer command.terminal.Close()
	}
	leave, err := joinCgroups(target.InitPID)
	if err != nil {
		return 0, fmt.Errorf("join the container's cgroup: %w", err)
	}
	left := sync.OnceFunc(leave)
	defer left()
	run := runInside
	if target.Root != 0 {
		run = runMapped
	}
	return run(ctx, target, bounding, command, func(process *exec.Cmd) error {
		defer left()
		return process.Start()
	})
}

// runInside is runHere in the container's cgroup; start starts the command and leaves that.
func runInside(ctx context.Context, target Target, bounding uint64, command Command, start startFunc) (int, error) {
	if target.Label != "" {
		if err := selinux.SetExecLabel(target.Label); err != nil {
			return 0, fmt.Errorf("set SELinux label %s: %w", target.Label, err)
		}
	}
	if target.Profile != "" {
		// /proc is the container's from here on, where this thread is not to be found.
		if err := os.WriteFile(fmt.Sprintf("/proc/self/task/%d/attr/apparmor/exec", unix.Gettid()), []byte("exec "+target.Profile), 0); err != nil {
			return 0, fmt.Errorf("set AppArmor profile %s: %w", target.Profile, err)
		}
	}
	if err := joinNamespaces(target.InitPID); err != nil {
		return 0, fmt.Errorf("join the container's namespaces: %w", err)
	}
	if err := guest.LimitCapabilities(bounding); err != nil {
		return 0, fmt.Errorf("limit capabilities to the container's: %w", err)
	}
	file, status := guest.FindProgram(command.Args[0], command.Environment)
	if status != 0 {
		fmt.Fprintf(command.Stderr, "%s: %s\n", command.Args[0], guest.StatusReason(status))
		return status, nil
	}
	return runProgram(ctx, file, command.Args, command, start)
}

// runMapped is runInside for a container with a user namespace, which this process of several threads cannot join.
func runMapped(ctx context.Context, target Target, bounding uint64, command Command, start startFunc) (int, error) {
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return 0, fmt.Errorf("join the container's namespaces: %w", err)
	}
	args := []string{
		"nsenter", "--target=" + strconv.Itoa(target.InitPID), "--user", "--mount", "--pid", "--ipc", "--uts", "--net", "--cgroup",
		"--", guest.ProgramFile,
	}
	args = append(args, guest.Entry{Bounding: bounding, Label: target.Label, Profile: target.Profile}.Args(command.Args)...)
	return runProgram(ctx, nsenter, args, command, start)
}

func runProgram(ctx context.Context, file string, args []string, command Command, start startFunc) (int, error) {
	// A session of its own: /dev/tty of the command is not the terminal that the caller types on.
	attributes := &syscall.SysProcAttr{Setsid: true}
	process := exec.CommandContext(ctx, file)
	process.Args, process.Env, process.Dir, process.SysProcAttr = args, command.Environment, "/", attributes
	process.WaitDelay = time.Second
	run := runOnPipes
	if command.Terminal {
		run = runOnTerminal
	}
	return exitStatus(process, run(process, command, start))
}

func exitStatus(process *exec.Cmd, err error) (int, error) {
	var exit *exec.ExitError
	if errors.Is(err, exec.ErrWaitDelay) {
		// It ended; a daemon that it left holds an output open.
		err = nil
	}
	if err != nil && !errors.As(err, &exit) {
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.ENOEXEC) {
			return guest.StatusNotExecutable, nil
		}
		return 0, fmt.Errorf("execute %s: %w", process.Args[0], err)
	}
	if s, ok := process.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal()), nil
	}
	return process.ProcessState.ExitCode(), nil
}

// joinNamespaces moves this thread into every namespace of the process, PID for its children.
func joinNamespaces(pid int) error {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(process)
	// The runtime's threads share their root and working directory, which a mount namespace is not entered with.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	return unix.Setns(process, unix.CLONE_NEWNS|unix.CLONE_NEWPID|unix.CLONE_NEWIPC|unix.CLONE_NEWUTS|unix.CLONE_NEWNET|unix.CLONE_NEWCGROUP)
}

// BoundingSet gives the capabilities that a process can ever have, by the bits of their numbers.
func BoundingSet(pid int) (uint64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, err
	}
	for l := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(l, "CapBnd:"); found {
			return strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		}
	}
	return 0, errors.New("no CapBnd in its status")
}
