// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exit statuses of shells for a command that could not be executed.
const (
	StatusNotExecutable = 126
	StatusNotFound      = 127
)

// Entry is how a command enters a container: virt-sandbox-init, as it lies on the host, takes the words of Args. The
// numbers are of descriptors that it inherits.
type Entry struct {
	Namespaces     []int  `json:"namespaces"`        // all but the user namespace, in which it is, that of mounts last
	Tasks          []int  `json:"tasks,omitempty"`   // cgroup.Entrance
	Freezer        int    `json:"freezer,omitempty"` // cgroup.Entrance; 0 for none
	Bounding       uint64 `json:"bounding"`          // set of capabilities
	SystemCalls    []byte `json:"filter,omitempty"`  // Plan.SystemCalls
	Label, Profile string // of SELinux and AppArmor; empty to keep the caller's
}

// EnterWord begins the arguments with which virt-sandbox-init executes a command inside.
const EnterWord = "enter"

// Args returns the arguments for virt-sandbox-init.
func (e Entry) Args(command []string) ([]string, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return append([]string{EnterWord, string(text)}, command...), nil
}

// Enter runs the command of arguments that Args made, and returns its exit status: 128 and the signal's number where
// one ended it.
//
// Root inside sees the command's process from its birth on, before it executes anything, may trace it, and keeps what
// can be reached by its /proc/PID. So that process is born with nothing that the container does not have: its
// capabilities, keyring and groups are cut before, it has a copy of this program's memory and not that memory itself,
// and none of its files but the streams. The caller has this program executed from sealed memory (package enter).
func Enter(args []string) (status int, err error) {
	if len(args) < 3 || args[0] != EnterWord {
		return 2, errors.New("enter: there is no command to execute")
	}
	var e Entry
	if err := json.Unmarshal([]byte(args[1]), &e); err != nil {
		return 2, fmt.Errorf("enter: %w", err)
	}
	// What a terminal sends to its group is for the command. It is waited for here: nsenter(1), and a shell, would stop
	// with a child that is stopped, as systemd does with all processes of a container at its end.
	ofTerminal := make(chan os.Signal, 1)
	signal.Notify(ofTerminal, unix.SIGINT, unix.SIGQUIT, unix.SIGTSTP)
	return e.run(args[2:], VariablesOf(os.Environ()))
}

// variablePrefix begins the names of the command's variables in the environment of what enters a container. The
// loader of programs, and libraries, obey variables such as LD_PRELOAD, which a config that came with an archive can
// have: they are not for programs that the host's root executes on the way.
const variablePrefix = "VIRT_SANDBOX_PASS_"

// Variables returns the environment, NAME=VALUE, in which Enter finds that of its command.
func Variables(command []string) (passed []string) {
	for _, v := range command {
		passed = append(passed, variablePrefix+v)
	}
	return passed
}

// VariablesOf returns what Variables was given, of an environment that has it.
func VariablesOf(environment []string) (command []string) {
	for _, v := range environment {
		if own, found := strings.CutPrefix(v, variablePrefix); found {
			command = append(command, own)
		}
	}
	return command
}

// run has a thread of its own become as the container is, and make the command. That thread then ends: nothing of
// this process is left inside, where it could be frozen. Should it be frozen before, this process cannot end either,
// not even by SIGKILL, while the container stands still.
func (e Entry) run(command, environment []string) (int, error) {
	born, err := newBirth()
	if err != nil {
		return 1, err
	}
	failure := make(chan error, 1)
	notFound := 0
	// The new thread is not this one, which is the first of the process and so cannot end.
	runtime.LockOSThread()
	go func() {
		runtime.LockOSThread()
		failure <- func() (err error) {
			if err := e.confine(); err != nil {
				return err
			}
			var file string
			if file, notFound = FindProgram(command[0], environment); notFound != 0 {
				fmt.Fprintf(os.Stderr, "%s: %s\n", command[0], StatusReason(notFound))
				return nil
			}
			// Last, since this thread may stand still from here on, until the container goes on.
			if e.Freezer != 0 {
				if _, err := unix.Write(e.Freezer, []byte("0")); err != nil {
					return fmt.Errorf("join the container's freezer: %w", err)
				}
			}
			return born.fork(file, command, environment)
		}()
	}()
	if err := <-failure; err != nil {
		return 1, err
	}
	if notFound != 0 {
		return notFound, nil
	}
	err = born.execute()
	// This process only waits from here on. Its threads are not of the container, whose processes do not see them, but
	// need no more.
	if err := keepCapabilities(syscall.AllThreadsSyscall, e.Bounding); err != nil {
		return 1, err
	}
	switch {
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.ENOEXEC):
		return StatusNotExecutable, nil
	case err != nil:
		return 1, fmt.Errorf("execute %s: %w", command[0], err)
	}
	return born.wait()
}

// confine has this thread, and all that comes from it, be as the container's processes are.
func (e Entry) confine() error {
	// First of all, while /proc is the host's.
	if err := errors.Join(confineNext(e.Label, e.Profile), spareNobody()); err != nil {
		return err
	}
	for _, tasks := range e.Tasks {
		if _, err := unix.Write(tasks, []byte("0")); err != nil {
			return fmt.Errorf("join the container's cgroups: %w", err)
		}
	}
	// The runtime's threads share their root and working directory, which a mount namespace is not entered with, and
	// their table of descriptors, of which the command gets nothing.
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_FILES); err != nil {
		return fmt.Errorf("leave the host's root: %w", err)
	}
	for _, namespace := range e.Namespaces {
		if err := unix.Setns(namespace, 0); err != nil {
			return fmt.Errorf("join the container's namespaces: %w", err)
		}
	}
	return e.dropRights()
}

// dropRights takes what a caller may do and a container may not.
func (e Entry) dropRights() error {
	// That of the caller's session has the caller's keys.
	if err := errors.Join(leaveRoom(), leaveKeyring()); err != nil {
		return err
	}
	// Needs CAP_SYS_ADMIN.
	if err := filterSystemCalls(e.SystemCalls, 0); err != nil {
		return err
	}
	// Of this thread alone, unlike syscall.Setgroups.
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
		return fmt.Errorf("leave the caller's groups: %w", errno)
	}
	if err := limitBounding(e.Bounding); err != nil {
		return fmt.Errorf("limit capabilities to the container's: %w", err)
	}
	if err := keepCapabilities(syscall.RawSyscall, e.Bounding); err != nil {
		return fmt.Errorf("limit capabilities to the container's: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("be traced by nobody: %w", err)
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
