// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exit statuses of shells for a command that could not be executed.
const (
	StatusNotExecutable = 126
	StatusNotFound      = 127
)

// Entry is how a command enters a container whose other namespaces nsenter(1) has joined: virt-sandbox-init, as it lies
// on the host, takes the words of Args.
type Entry struct {
	PIDs, Mounts   int    // descriptors of these namespaces
	Bounding       uint64 // set of capabilities
	Label, Profile string // of SELinux and AppArmor; empty to keep the caller's
}

// EnterWord begins the arguments with which virt-sandbox-init executes a command inside.
const EnterWord = "enter"

// Args returns the arguments for virt-sandbox-init.
func (e Entry) Args(command []string) []string {
	return append(
		[]string{
			EnterWord,
			strconv.Itoa(e.PIDs),
			strconv.Itoa(e.Mounts),
			strconv.FormatUint(e.Bounding, 16),
			e.Label,
			e.Profile,
		},
		command...)
}

// Enter runs the command of arguments that Args made, and returns its exit status: 128 and the signal's number where
// one ended it. It waits for the command itself: nsenter(1) stops with a child that is stopped, as systemd does with
// all processes of a container at its end, and would then keep that from it.
func Enter(args []string) (status int, err error) {
	if len(args) < 7 || args[0] != EnterWord {
		return 2, errors.New("enter: there is no command to execute")
	}
	pids, pidsErr := strconv.Atoi(args[1])
	mounts, mountsErr := strconv.Atoi(args[2])
	bounding, boundingErr := strconv.ParseUint(args[3], 16, 64)
	if err := errors.Join(pidsErr, mountsErr, boundingErr); err != nil {
		return 2, fmt.Errorf("enter: %w", err)
	}
	e, command := Entry{pids, mounts, bounding, args[4], args[5]}, args[6:]
	// What a thread may do and will be is what its program is executed with.
	runtime.LockOSThread()
	if err := e.confine(); err != nil {
		return 1, err
	}
	file, status := FindProgram(command[0], os.Environ())
	if status != 0 {
		fmt.Fprintf(os.Stderr, "%s: %s\n", command[0], StatusReason(status))
		return status, nil
	}
	return e.run(file, command)
}

// run runs a program as a child, which alone is in the PID namespace. What a terminal sends to its group is for that.
func (e Entry) run(file string, command []string) (status int, err error) {
	ofTerminal := make(chan os.Signal, 1)
	signal.Notify(ofTerminal, unix.SIGINT, unix.SIGQUIT, unix.SIGTSTP)
	child := exec.Cmd{Path: file, Args: command, Env: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	err = child.Run()
	var exit *exec.ExitError
	switch {
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.ENOEXEC):
		return StatusNotExecutable, nil
	case err != nil && !errors.As(err, &exit):
		return 1, fmt.Errorf("execute %s: %w", file, err)
	}
	if s, ok := child.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal()), nil
	}
	return child.ProcessState.ExitCode(), nil
}

func (e Entry) confine() error {
	// First of all, while /proc is the host's.
	if err := confineNext(e.Label, e.Profile); err != nil {
		return err
	}
	// The runtime's threads share their root and working directory, which a mount namespace is not entered with.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("leave the host's root: %w", err)
	}
	if err := unix.Setns(e.PIDs, unix.CLONE_NEWPID); err != nil {
		return fmt.Errorf("join the container's PID namespace: %w", err)
	}
	if err := unix.Setns(e.Mounts, unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("join the container's mount namespace: %w", err)
	}
	if err := LimitCapabilities(e.Bounding); err != nil {
		return fmt.Errorf("limit capabilities to the container's: %w", err)
	}
	// The command gets none of what led here.
	if err := unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close descriptors: %w", err)
	}
	return nil
}

// confineNext has the next program that this thread executes run under an SELinux context and an AppArmor profile; ""
// for this thread's own.
func confineNext(label, profile string) error {
	if label != "" {
		if err := writeExisting("/proc/thread-self/attr/exec", []byte(label)); err != nil {
			return fmt.Errorf("set SELinux label %s: %w", label, err)
		}
	}
	if profile != "" {
		if err := writeExisting("/proc/thread-self/attr/apparmor/exec", []byte("exec "+profile)); err != nil {
			return fmt.Errorf("set AppArmor profile %s: %w", profile, err)
		}
	}
	return nil
}

// LimitCapabilities drops from this thread's bounding set what is not allowed.
func LimitCapabilities(allowed uint64) error {
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

// FindProgram looks a command up in PATH of the environment. The status is that of a shell which cannot execute it.
func FindProgram(name string, environment []string) (file string, status int) {
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

// StatusReason says what a status of FindProgram means.
func StatusReason(status int) string {
	if status == StatusNotExecutable {
		return "permission denied"
	}
	return "command not found"
}
