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
)

// Exit statuses of shells for a command that could not be executed.
const (
	StatusNotExecutable = 126
	StatusNotFound      = 127
)

// Target is the container to enter.
type Target struct {
	InitPID int    // of its first process, in the caller's PID namespace
	Label   string // SELinux context to run under; empty to keep the caller's
}

// Command is what to run there.
type Command struct {
	Args           []string
	Environment    []string // NAME=VALUE, nothing of the caller's is added
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Terminal gives the command a terminal of the container, joined with the caller's, which Stdin and Stdout must be.
	Terminal bool
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
	leave, err := joinCgroups(target.InitPID)
	if err != nil {
		return 0, fmt.Errorf("join the container's cgroup: %w", err)
	}
	left := sync.OnceFunc(leave)
	defer left()
	return runInside(ctx, target, bounding, command, func(process *exec.Cmd) error {
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
	if err := joinNamespaces(target.InitPID); err != nil {
		return 0, fmt.Errorf("join the container's namespaces: %w", err)
	}
	if err := limitCapabilities(bounding); err != nil {
		return 0, fmt.Errorf("limit capabilities to the container's: %w", err)
	}
	file, status := find(command.Args[0], command.Environment)
	if status != 0 {
		reason := "command not found"
		if status == StatusNotExecutable {
			reason = "permission denied"
		}
		fmt.Fprintf(command.Stderr, "%s: %s\n", command.Args[0], reason)
		return status, nil
	}
	// A session of its own: /dev/tty of the command is not the terminal that the caller types on.
	attributes := &syscall.SysProcAttr{Setsid: true}
	process := exec.CommandContext(ctx, file)
	process.Args, process.Env, process.Dir, process.SysProcAttr = command.Args, command.Environment, "/", attributes
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
			return StatusNotExecutable, nil
		}
		return 0, fmt.Errorf("execute %s: %w", process.Args[0], err)
	}
	if s, ok := process.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal()), nil
	}
	return process.ProcessState.ExitCode(), nil
}

// find looks a command up in PATH of the environment, inside: this thread has the container's root.
func find(name string, environment []string) (file string, status int) {
	candidates := []string{name}
	if !strings.Contains(name, "/") {
		candidates = nil
		for _, v := range environment {
			if list, found := strings.CutPrefix(v, "PATH="); found {
				for dir := range strings.SplitSeq(list, ":") {
					candidates = append(candidates, dir+"/"+name)
				}
			}
		}
	}
	status = StatusNotFound
	for _, c := range candidates {
		info, err := os.Stat(c)
		switch {
		case err != nil:
		case info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0:
			return c, 0
		default:
			status = StatusNotExecutable
		}
	}
	return "", status
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

// limitCapabilities drops from this thread's bounding set what the container's first process may not have either.
func limitCapabilities(allowed uint64) error {
	for c := 0; c <= unix.CAP_LAST_CAP; c++ {
		if allowed&(1<<c) != 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return err
		}
	}
	return nil
}
