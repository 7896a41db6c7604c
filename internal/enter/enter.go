// SPDX-License-Identifier: Apache-2.0

// Package enter runs a command in all namespaces, the cgroup and under the label of a running container. In: what the
// helper noted of the container's first process; out: the command's exit status. execute and connect call it, and the
// helper to read the container's journal.
package enter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// Target is the container to enter. Nothing of it is to come from what /proc tells of its processes once they are the
// container's own: root inside has that in its hands.
type Target struct {
	Name     string  // of the sandbox
	Process  Process // its first
	Root     uint32  // the host's number of the user that is root there; 0 where there is no user namespace
	Bounding uint64  // set of capabilities of its processes, by the bits of their numbers
	Label    string  // SELinux context to run under; empty to keep the caller's
	Profile  string  // AppArmor profile to run under; empty to keep the caller's
	Filter   []byte  // of system calls, as guest.Plan has it; none to filter nothing
	Program  string  // virt-sandbox-init, on the host
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

// Run runs the command and returns its exit status: 128 and the signal's number where a signal ended it,
// guest.StatusNotFound or guest.StatusNotExecutable where it could not be executed.
func Run(ctx context.Context, target Target, command Command) (int, error) {
	container, err := open(target)
	if err != nil {
		return 0, fmt.Errorf("open the container: %w", err)
	}
	defer container.close()
	if command.Terminal {
		if command.inside, command.terminal, err = openTerminal(target); err != nil {
			return 0, fmt.Errorf("open a terminal of the container: %w", err)
		}
		defer command.inside.Close()
		defer command.terminal.Close()
	}
	if err := target.Process.check(); err != nil {
		return 0, err
	}
	process, err := container.command(ctx, target, command)
	if err != nil {
		return 0, err
	}
	start := func(process *exec.Cmd) error { return startIn(ctx, container.groups.Version2, process) }
	if command.Terminal {
		return exitStatus(process, runOnTerminal(ctx, process, command, start))
	}
	return exitStatus(process, runOnPipes(ctx, target, process, command, start))
}

// command is virt-sandbox-init as it lies on the host, which becomes as the container is while it still sees the host's
// /proc, and makes the command. Where the container has a user namespace, nsenter(1) goes before: a process of several
// threads cannot join that.
func (o *opened) command(ctx context.Context, target Target, command Command) (*exec.Cmd, error) {
	process := exec.CommandContext(ctx, "")
	inherit := func(f *os.File) int {
		process.ExtraFiles = append(process.ExtraFiles, f)
		return 2 + len(process.ExtraFiles)
	}
	descriptor := func(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(inherit(f)) }
	process.Path = descriptor(o.program)
	process.Args = []string{guest.Program}
	if f := o.namespaces[userNamespace]; f != nil {
		nsenter, err := exec.LookPath("nsenter")
		if err != nil {
			return nil, fmt.Errorf("join the container's user namespace: %w", err)
		}
		process.Args = []string{"nsenter", "--" + userNamespace + "=" + descriptor(f), "--", process.Path}
		process.Path = nsenter
	}
	entry := guest.Entry{
		Bounding: target.Bounding, SystemCalls: target.Filter, Label: target.Label, Profile: target.Profile,
	}
	for _, name := range joined() {
		entry.Namespaces = append(entry.Namespaces, inherit(o.namespaces[name]))
	}
	for _, f := range o.groups.Tasks {
		entry.Tasks = append(entry.Tasks, inherit(f))
	}
	if f := o.groups.Freezer; f != nil {
		entry.Freezer = inherit(f)
	}
	args, err := entry.Args(command.Args)
	if err != nil {
		return nil, err
	}
	process.Args = append(process.Args, args...)
	process.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, guest.Variables(command.Environment)...)
	process.Dir = "/"
	// A session of its own: /dev/tty of the command is not the terminal that the caller types on.
	process.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// Not only the process that waits for the command.
	process.Cancel = func() error { return unix.Kill(-process.Process.Pid, unix.SIGKILL) }
	return process, nil
}

// startIn starts a process in a cgroup of version 2, or where it is where there is none. A container can freeze whoever
// is in its group, also who begins there: that has this process's files until it executes, and heeds only SIGKILL.
func startIn(ctx context.Context, group *os.File, process *exec.Cmd) error {
	if group == nil {
		return process.Start()
	}
	process.SysProcAttr.UseCgroupFD, process.SysProcAttr.CgroupFD = true, int(group.Fd())
	started := make(chan error, 1)
	go func() { started <- process.Start() }()
	select {
	case err := <-started:
		return err
	case <-ctx.Done():
	}
	for range lateLimit / killInterval {
		if err := killBegun(group); err != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		select {
		case <-started:
			return context.Cause(ctx)
		case <-time.After(killInterval):
		}
	}
	return context.Cause(ctx)
}

// killInterval is how often a process is killed that may be there by then.
const killInterval = 20 * time.Millisecond

// killBegun kills the process of a cgroup that this one has made and that has not executed anything yet.
func killBegun(group *os.File) error {
	pids, err := cgroup.Freezer(group.Name()).Processes()
	if err != nil {
		return err
	}
	own, err := proc.Host.Executable(os.Getpid())
	if err != nil {
		return err
	}
	for _, pid := range pids {
		status, err := proc.Host.Status(pid)
		if err != nil || status.Parent() != os.Getpid() {
			continue
		}
		if file, err := proc.Host.Executable(pid); err == nil && file == own {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	return nil
}

func exitStatus(process *exec.Cmd, err error) (int, error) {
	var exit *exec.ExitError
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

// BoundingSet returns the capabilities that a process can ever have, by the bits of their numbers.
func BoundingSet(pid int) (uint64, error) {
	status, err := proc.Host.Status(pid)
	if err != nil {
		return 0, err
	}
	return status.BoundingSet()
}
