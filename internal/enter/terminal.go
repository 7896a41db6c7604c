// SPDX-License-Identifier: Apache-2.0

package enter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// openTerminal opens both ends of a new terminal of a container. Links in the way to it are resolved inside, and the
// end that the command gets is found without a path (ioctl_tty(2), TIOCGPTPEER).
func openTerminal(target Target) (inside, terminal *os.File, err error) {
	root, err := unix.Open(proc.Host.Root(target.Process.PID), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(root)
	how := unix.OpenHow{
		Flags: unix.O_RDWR | unix.O_NOCTTY | unix.O_NONBLOCK | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT |
			unix.RESOLVE_NO_MAGICLINKS,
	}
	fd, err := unix.Openat2(root, "dev/pts/ptmx", &how)
	if err != nil {
		return nil, nil, err
	}
	inside = os.NewFile(uintptr(fd), "ptmx")
	defer func() {
		if err != nil {
			inside.Close()
		}
	}()
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, err
	}
	peer, _, number := unix.Syscall(
		unix.SYS_IOCTL,
		uintptr(fd),
		unix.TIOCGPTPEER,
		unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC,
	)
	if number != 0 {
		return nil, nil, number
	}
	terminal = os.NewFile(peer, "terminal")
	if target.Root != 0 {
		err = terminal.Chown(int(target.Root), -1)
	}
	return inside, terminal, err
}

// startFunc starts a command.
type startFunc func(*exec.Cmd) error

// runOnTerminal gives the process a terminal of the container and passes on what is typed, shown and resized.
func runOnTerminal(ctx context.Context, process *exec.Cmd, command Command, start startFunc) error {
	outside, isFile := command.Stdin.(*os.File)
	if !isFile {
		return errors.New("standard input is not a terminal")
	}
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "TERM=") {
			process.Env = append(process.Env, guest.Variables([]string{v})...)
		}
	}
	size, err := pty.GetsizeFull(outside)
	if err != nil {
		return fmt.Errorf("read terminal size: %w", err)
	}
	inside, terminal := command.inside, command.terminal
	if err := pty.Setsize(terminal, size); err != nil {
		return fmt.Errorf("set terminal size: %w", err)
	}
	process.SysProcAttr.Setsid, process.SysProcAttr.Setctty = true, true
	process.Stdin, process.Stdout, process.Stderr = terminal, terminal, terminal
	if err := start(process); err != nil {
		return err
	}
	terminal.Close()
	state, err := term.MakeRaw(int(outside.Fd()))
	if err != nil {
		return fmt.Errorf("set terminal to raw mode: %w", err)
	}
	defer term.Restore(int(outside.Fd()), state)

	resized := make(chan os.Signal, 1)
	signal.Notify(resized, unix.SIGWINCH)
	defer signal.Stop(resized)
	go func() {
		for range resized {
			_ = pty.InheritSize(outside, inside)
		}
	}()
	go func() { _, _ = io.Copy(inside, outside) }()
	shown := make(chan struct{})
	go func() {
		_, _ = io.Copy(command.Stdout, inside)
		close(shown)
	}()
	err = wait(ctx, process)
	select {
	case <-shown:
	case <-time.After(time.Second):
		// A daemon that the command left holds the terminal open.
	}
	return err
}
