// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/console"
)

// ConsoleSocket is where the caller of a command waits for its sandbox, which speaks by package console.
const ConsoleSocket = "/run/host/console"

// ShellTerminal is what the shell of a plan has, the second console of the domain; in a virtual machine it is a serial
// one.
const (
	ShellTerminal        = "/dev/tty2"
	MachineShellTerminal = "/dev/ttyS1"
)

// StatusFailure is the exit status where the sandbox failed, and not its command: that of env(1) and timeout(1).
const StatusFailure = 125

// runAttached makes the container and runs the command for who calls it.
func runAttached(p *Plan) (int, error) {
	// libvirt's controller leaves files open that are not the command's.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return 0, fmt.Errorf("keep open files from the command: %w", err)
	}
	connection, err := net.Dial("unix", ConsoleSocket)
	if err != nil {
		return 0, fmt.Errorf("look for the caller: %w", err)
	}
	session, err := console.Serve(connection)
	if err != nil {
		return 0, err
	}
	if err := setUp(p); err != nil {
		return Fail(session, err)
	}
	if p.Label+p.Profile != "" {
		word, err := session.Pass()
		if err == nil {
			err = unix.Exec("/proc/self/exe", []string{Program, PayloadWord, word}, os.Environ())
		}
		return Fail(session, fmt.Errorf("confine the command: %w", err))
	}
	return Serve(p, session)
}

// ResumeCalled goes on where runAttached executed this program anew to be confined.
func ResumeCalled(p *Plan, word string) (int, error) {
	session, err := console.Resume(word)
	if err != nil {
		return 0, err
	}
	return Serve(p, session)
}

// Fail tells the caller of a session that the command cannot be run, and why; the status is StatusFailure.
func Fail(session *console.Session, err error) (int, error) {
	return StatusFailure, session.Exit(console.Exit{Status: StatusFailure, Message: err.Error()})
}

// Serve runs the plan's command and tells its caller of the end. It returns the command's exit status.
func Serve(p *Plan, session *console.Session) (int, error) {
	if p.Shell && p.Machine != nil {
		go serveShell(MachineShellTerminal)
	} else if p.Shell {
		go serveShell(ShellTerminal)
	}
	command, exit := find(p)
	if exit != (console.Exit{}) {
		return int(exit.Status), session.Exit(exit)
	}
	outer, inner, err := streams(session.Start, p.UID)
	if err != nil {
		return Fail(session, err)
	}
	command.Stdin, command.Stdout, command.Stderr = inner[0], inner[1], inner[2]
	command.SysProcAttr.Setctty = session.Start.Terminal
	if err := session.Join(outer[0], outer[1], outer[2]); err != nil {
		return 0, err
	}
	// The command inherits that; this process has no use for them.
	for _, s := range p.Ignored {
		signal.Ignore(s)
	}
	err = command.Start()
	for _, f := range inner {
		f.Close()
	}
	if err != nil {
		exit := startFailure(p.Command[0], err)
		endOthers()
		return int(exit.Status), session.Exit(exit)
	}
	go handleRequests(session, command.Process.Pid, outer[0])
	status, err := reap(command.Process.Pid)
	if err != nil {
		return 0, err
	}
	if !session.Start.Files {
		endOthers()
	}
	if p.Machine != nil {
		tidy()
	}
	return status, session.Exit(console.Exit{Status: uint8(status)})
}

// find makes the command ready but for its streams, or says why there is none.
func find(p *Plan) (*exec.Cmd, console.Exit) {
	environment := p.Environment
	if p.Machine == nil {
		environment = append([]string{"container=lxc-libvirt"}, p.Environment...)
	}
	if !slices.ContainsFunc(environment, func(v string) bool { return strings.HasPrefix(v, "PATH=") }) {
		environment = append(environment, "PATH="+defaultPath)
	}
	dir := p.Directory
	if os.Chdir(dir) != nil {
		dir = "/"
		_ = os.Chdir(dir)
	}
	file, status := FindProgram(p.Command[0], environment)
	if status != 0 {
		return nil, console.Exit{Status: uint8(status), Message: p.Command[0] + ": " + StatusReason(status)}
	}
	return &exec.Cmd{
		Path: file, Args: p.Command, Dir: dir, Env: environment,
		SysProcAttr: &syscall.SysProcAttr{
			Setsid:     true,
			Credential: &syscall.Credential{Uid: p.UID, Gid: p.GID, Groups: p.Groups},
		},
	}, console.Exit{}
}

// startFailure returns the status of a shell for a program that the kernel would not execute.
func startFailure(name string, err error) console.Exit {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return console.Exit{Status: StatusFailure, Message: name + ": " + err.Error()}
	}
	status := uint8(StatusNotExecutable)
	if errors.Is(number, fs.ErrNotExist) {
		status = StatusNotFound // of a script, or the loader of a program
	}
	return console.Exit{Status: status, Message: name + ": " + number.Error()}
}

// streams makes the pipes or the terminal of a command. They are the sandbox's own, so that its policy lets it use
// them.
func streams(start console.Start, uid uint32) (outer, inner [3]*os.File, err error) {
	pipe := func(n int, inward bool) {
		if err != nil {
			return
		}
		var read, write *os.File
		if read, write, err = os.Pipe(); err != nil {
			err = fmt.Errorf("make pipes: %w", err)
			return
		}
		// More than by default in one go; where the user has too many pipes already, it stays as it is.
		_, _ = unix.FcntlInt(write.Fd(), unix.F_SETPIPE_SZ, pipeSize)
		if outer[n], inner[n] = read, write; inward {
			outer[n], inner[n] = write, read
		}
		// As a shell's redirection would be, the command's to open again.
		err = inner[n].Chown(int(uid), -1)
	}
	if !start.Terminal {
		pipe(0, true)
		pipe(1, false)
		pipe(2, false)
		return outer, inner, err
	}
	outside, terminal, err := pty.Open()
	if err != nil {
		return outer, inner, fmt.Errorf("make a terminal: %w", err)
	}
	err = errors.Join(terminal.Chown(int(uid), -1), pty.Setsize(outside, winsize(start.Size)))
	outer[0], inner[0], inner[1], inner[2] = outside, terminal, terminal, terminal
	if start.ErrorApart {
		pipe(2, false)
	}
	return outer, inner, err
}

const pipeSize = 1 << 20

func winsize(s console.Size) *pty.Winsize { return &pty.Winsize{Rows: s.Rows, Cols: s.Columns} }

// handleRequests does what the caller asks for, and ends the command when the caller has gone.
func handleRequests(session *console.Session, pid int, terminal *os.File) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT)
	for {
		select {
		case s := <-signals:
			_ = unix.Kill(-pid, s.(syscall.Signal))
		case r, open := <-session.Requests():
			switch {
			case !open:
				_ = unix.Kill(-1, unix.SIGKILL)
				return
			case r.Signal != 0:
				_ = unix.Kill(-pid, r.Signal)
			case session.Start.Terminal:
				_ = pty.Setsize(terminal, winsize(r.Size))
			}
		}
	}
}

// endOthers ends all processes but this one, the first, so that nobody holds the command's output open.
func endOthers() {
	_ = unix.Kill(-1, unix.SIGKILL)
	for {
		if _, err := unix.Wait4(-1, nil, 0, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// serveShell has a shell of root on its terminal, and another when that ends.
func serveShell(file string) {
	for {
		terminal, err := os.OpenFile(file, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			fmt.Fprintf(os.Stderr, "virt-sandbox-init: open the shell's terminal: %v\n", err)
			return
		}
		shell := exec.Cmd{
			Path: "/bin/sh", Args: []string{"-sh"}, Dir: "/",
			Env:   []string{"PATH=" + defaultPath, "HOME=/root", "USER=root", "LOGNAME=root", "TERM=linux"},
			Stdin: terminal, Stdout: terminal, Stderr: terminal,
			SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true},
		}
		if err := shell.Start(); err != nil {
			fmt.Fprintf(os.Stderr, "virt-sandbox-init: execute the shell: %v\n", err)
			terminal.Close()
			return
		}
		terminal.Close()
		// reap waits for it, as for all.
		for unix.Kill(shell.Process.Pid, 0) == nil {
			time.Sleep(100 * time.Millisecond)
		}
	}
}
