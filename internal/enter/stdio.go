// SPDX-License-Identifier: Apache-2.0

package enter

import (
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
)

// startFunc starts a command.
type startFunc func(*exec.Cmd) error

// runOnPipes keeps the three streams apart. Files and pipes are handed over as they are; a terminal is not, since
// whoever holds it can type into the caller's shell.
func runOnPipes(process *exec.Cmd, command Command, start startFunc) error {
	process.Stdout, process.Stderr = notTerminal(command.Stdout), notTerminal(command.Stderr)
	file, isFile := command.Stdin.(*os.File)
	if command.Stdin == nil || (isFile && !term.IsTerminal(int(file.Fd()))) {
		process.Stdin = command.Stdin
		if err := start(process); err != nil {
			return err
		}
		return process.Wait()
	}
	// Not process.Stdin: Wait would wait for the next line of a person.
	input, err := process.StdinPipe()
	if err != nil {
		return err
	}
	if err := start(process); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(input, command.Stdin)
		input.Close()
	}()
	return process.Wait()
}

func notTerminal(w io.Writer) io.Writer {
	if file, isFile := w.(*os.File); isFile && term.IsTerminal(int(file.Fd())) {
		return struct{ io.Writer }{file}
	}
	return w
}

// runOnTerminal gives the process a terminal of the container and passes on what is typed, shown and resized.
func runOnTerminal(process *exec.Cmd, command Command, start startFunc) error {
	outside, isFile := command.Stdin.(*os.File)
	if !isFile {
		return errors.New("standard input is not a terminal")
	}
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "TERM=") {
			process.Env = append(process.Env, v)
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
	err = process.Wait()
	select {
	case <-shown:
	case <-time.After(time.Second):
		// A daemon that the command left holds the terminal open.
	}
	return err
}
