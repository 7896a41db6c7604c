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
	"runtime"
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
	Process  Process // its first
	Root     uint32  // the host's number of the user that is root there; 0 where there is no user namespace
	Bounding uint64  // set of capabilities of its processes, by the bits of their numbers
	Label    string  // SELinux context to run under; empty to keep the caller's
	Profile  string  // AppArmor profile to run under; empty to keep the caller's
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
	groups, err := cgroup.Host().Of(target.Process.PID)
	if err != nil {
		return 0, fmt.Errorf("find the container's cgroups: %w", err)
	}
	if err := target.Process.check(); err != nil {
		return 0, err
	}
	process, err := container.command(ctx, target, command)
	if err != nil {
		return 0, err
	}
	start := func(process *exec.Cmd) error { return startIn(ctx, groups, process) }
	if command.Terminal {
		return exitStatus(process, runOnTerminal(process, command, start))
	}
	return exitStatus(process, runOnPipes(process, command, start))
}

// command is nsenter(1), which joins what of the namespaces a process of several threads can not, and then
// virt-sandbox-init as it lies on the host, which confines itself while it still sees the host's /proc, and joins the
// others.
func (o *opened) command(ctx context.Context, target Target, command Command) (*exec.Cmd, error) {
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return nil, fmt.Errorf("join the container's namespaces: %w", err)
	}
	process := exec.CommandContext(ctx, nsenter)
	inherit := func(f *os.File) int {
		process.ExtraFiles = append(process.ExtraFiles, f)
		return 2 + len(process.ExtraFiles)
	}
	descriptor := func(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(inherit(f)) }
	process.Args = []string{"nsenter"}
	for _, name := range joined() {
		if f := o.namespaces[name]; f != nil {
			process.Args = append(process.Args, "--"+name+"="+descriptor(f))
		}
	}
	process.Args = append(process.Args, "--", descriptor(o.program))
	entry := guest.Entry{
		PIDs: inherit(o.namespaces[pidNamespace]), Mounts: inherit(o.namespaces[mountNamespace]),
		Bounding: target.Bounding, Label: target.Label, Profile: target.Profile,
	}
	process.Args = append(process.Args, entry.Args(command.Args)...)
	process.Env, process.Dir = command.Environment, "/"
	// A session of its own: /dev/tty of the command is not the terminal that the caller types on.
	process.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// Not only the process that waits for the command.
	process.Cancel = func() error { return unix.Kill(-process.Process.Pid, unix.SIGKILL) }
	process.WaitDelay = time.Second
	return process, nil
}

// startIn starts a process in cgroups. With version 2 it is born there; of version 1 a thread has to go ahead, which
// then ends: a container can freeze whoever is in its groups.
func startIn(ctx context.Context, groups cgroup.Groups, process *exec.Cmd) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		started <- func() error {
			if err := groups.JoinThread(); err != nil {
				return fmt.Errorf("join the container's cgroups: %w", err)
			}
			group, err := groups.OpenVersion2()
			if err != nil {
				return fmt.Errorf("join the container's cgroup: %w", err)
			}
			if group != nil {
				defer group.Close()
				process.SysProcAttr.UseCgroupFD, process.SysProcAttr.CgroupFD = true, int(group.Fd())
			}
			return process.Start()
		}()
	}()
	select {
	case err := <-started:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
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

// BoundingSet returns the capabilities that a process can ever have, by the bits of their numbers.
func BoundingSet(pid int) (uint64, error) {
	status, err := proc.Host.Status(pid)
	if err != nil {
		return 0, err
	}
	return status.BoundingSet()
}
