// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/virt-sandbox/virt-sandbox/internal/console"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/stdin"
)

// ExitStatus is how a command ended, as shells have it: its own status, 128 and the number of the signal that ended it,
// 127 where it was not found and 126 where it could not be executed.
type ExitStatus int

// Exit statuses of a sandbox, those of timeout(1).
const (
	StatusTimeout ExitStatus = 124
	StatusFailure ExitStatus = 125
)

// Errors of Attach, and of Run.
var (
	// ErrDetached: the person at the terminal typed ^].
	ErrDetached = errors.New("left by ^]")
	// ErrTimeout: the command took longer than it may.
	ErrTimeout = field.Errorf("the command took longer than %s allows", field.Timeout)
	// ErrNotExecuted: there was nothing to execute, for the reason that it wraps.
	ErrNotExecuted = errors.New("cannot execute the command")
)

// grace is how long a command may take to end in order once it is asked to.
const grace = 5 * time.Second

// escape is what a person types to leave: ^].
const escape = 0x1d

// Streams are what a command has for its standard files; nil is an empty input, and an output that goes nowhere.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Terminal joins the terminal that Stdin and Stdout are with one of the sandbox. Stderr is part of that where it is a
	// terminal too.
	Terminal bool
	// Signals are passed on to the command. One that asks for an end is followed by force; the second at once.
	Signals <-chan os.Signal
}

// Attach runs the command with its streams and waits until it has ended and all its output is written. A context that
// is cancelled ends the command: it is asked to, and then by force. Errors: ErrDetached, ErrTimeout, ErrNotExecuted,
// console.ErrLost.
func (s *Sandbox) Attach(ctx context.Context, streams Streams) (ExitStatus, error) {
	start := console.Start{Terminal: streams.Terminal}
	var outside *os.File
	if streams.Terminal {
		var isFile bool
		if outside, isFile = streams.Stdin.(*os.File); !isFile || !term.IsTerminal(int(outside.Fd())) {
			return StatusFailure, errors.New("standard input is not a terminal")
		}
		start.Size = sizeOf(outside)
		start.ErrorApart = streams.Stderr != nil && !isTerminal(streams.Stderr)
	}
	connection, files := s.machine.link()
	start.Files = files
	call, status, err := place(ctx, connection, start, streams.Signals)
	if call == nil {
		return status, err
	}
	detached := make(chan struct{})
	if streams.Terminal {
		state, err := term.MakeRaw(int(outside.Fd()))
		if err != nil {
			return StatusFailure, fmt.Errorf("set terminal to raw mode: %w", err)
		}
		defer term.Restore(int(outside.Fd()), state)
		stop := follow(outside, call)
		defer stop()
		streams.Stdin = &typed{File: outside, detached: detached}
	}
	var outputs sync.WaitGroup
	outputs.Go(func() { pass(streams.Stdout, call.Stdout) })
	outputs.Go(func() { pass(streams.Stderr, call.Stderr) })
	giveBack, err := feed(call.Stdin, streams)
	if err != nil {
		return StatusFailure, errors.Join(err, s.Stop())
	}
	status, ended, err := s.waitExit(ctx, call, streams.Signals, detached)
	giveBack()
	if !ended {
		// By force, before its output can come to an end.
		err = errors.Join(err, s.Stop())
	}
	written := make(chan struct{})
	go func() {
		outputs.Wait()
		close(written)
	}()
	var patience <-chan time.Time
	cancelled := ctx.Done()
	if !ended || err != nil {
		patience, cancelled = time.After(time.Second), nil
	}
	for {
		select {
		case <-written:
			return status, err
		case <-patience:
			return status, err
		case <-cancelled:
			return status, context.Cause(ctx)
		case received := <-streams.Signals:
			if number, isNumber := received.(syscall.Signal); isNumber && isEnd(number) {
				return ExitStatus(128 + int(number)), err
			}
		}
	}
}

// place calls the init inside, unless the end is asked for before that answers; then there is no call, but a status.
func place(
	ctx context.Context,
	connection io.ReadWriteCloser,
	start console.Start,
	signals <-chan os.Signal,
) (call *console.Caller, status ExitStatus, err error) {
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		call, err = console.Call(connection, start)
	}()
	for {
		select {
		case <-answered:
			return call, StatusFailure, err
		case <-ctx.Done():
			connection.Close()
			<-answered
			return nil, StatusFailure, context.Cause(ctx)
		case received := <-signals:
			if number, isNumber := received.(syscall.Signal); isNumber && isEnd(number) {
				connection.Close()
				<-answered
				return nil, ExitStatus(128 + int(number)), nil
			}
		}
	}
}

// waitExit waits for the end of the command, and brings it about when that is asked for. It has not ended where it must
// be ended by force.
func (s *Sandbox) waitExit(
	ctx context.Context,
	call *console.Caller,
	signals <-chan os.Signal,
	detached <-chan struct{},
) (status ExitStatus, ended bool, err error) {
	var timeout, force <-chan time.Time
	if s.options.Timeout > 0 {
		timer := time.NewTimer(s.options.Timeout)
		defer timer.Stop()
		timeout = timer.C
	}
	cancelled := ctx.Done()
	var reason error
	asked := ExitStatus(0)
	ask := func(number syscall.Signal) {
		_ = call.Signal(number)
		asked, force = ExitStatus(128+int(number)), time.After(grace)
	}
	for {
		select {
		case <-call.Ended():
			s.machine.PrepareTeardown()
			call.Release()
			status, err = outcome(call, reason)
			return status, true, err
		case <-detached:
			return 1, false, ErrDetached
		case <-force:
			status, err = outcomeOf(reason, asked)
			return status, false, err
		case <-timeout:
			reason, timeout = ErrTimeout, nil
			ask(unix.SIGTERM)
		case <-cancelled:
			reason, cancelled = context.Cause(ctx), nil
			ask(unix.SIGTERM)
		case received := <-signals:
			number, isNumber := received.(syscall.Signal)
			switch {
			case !isNumber:
			case !isEnd(number):
				_ = call.Signal(number)
			case asked != 0:
				return asked, false, reason
			default:
				ask(number)
			}
		}
	}
}

// maxMessage bounds what the program inside says of its end, in bytes.
const maxMessage = 4096

func outcome(call *console.Caller, reason error) (ExitStatus, error) {
	exit, err := call.Wait()
	switch {
	case reason != nil:
		return outcomeOf(reason, ExitStatus(exit.Status))
	case err != nil:
		return StatusFailure, err
	case exit.Message != "" && ExitStatus(exit.Status) == StatusFailure:
		return StatusFailure, errors.New(printable.Short(exit.Message, maxMessage))
	case exit.Message != "":
		return ExitStatus(exit.Status), fmt.Errorf("%w: %s", ErrNotExecuted, printable.Short(exit.Message, maxMessage))
	}
	return ExitStatus(exit.Status), nil
}

func outcomeOf(reason error, status ExitStatus) (ExitStatus, error) {
	if errors.Is(reason, ErrTimeout) {
		status = StatusTimeout
	}
	return status, reason
}

// isEnd tells of the signals by which a person or a system asks a program to end.
func isEnd(s syscall.Signal) bool {
	return s == unix.SIGINT || s == unix.SIGTERM || s == unix.SIGHUP || s == unix.SIGQUIT
}

// pass writes what the command writes, to the end. Where nobody takes it any more, the command finds that out as from a
// pipe.
func pass(to io.Writer, from io.ReadCloser) {
	if to == nil {
		to = io.Discard
	}
	_ = move(to, from)
	from.Close()
}

// feed passes the caller's input on. end leaves to the caller what the command has not read of it; what went to a
// machine counts as read.
func feed(to io.WriteCloser, streams Streams) (end func(), err error) {
	if streams.Terminal {
		// A read of what a person types cannot be ended: this may stay.
		go func() {
			_ = move(to, streams.Stdin)
			_ = to.Close()
		}()
		return func() {}, nil
	}
	pipe, isFile := to.(*os.File)
	if !isFile {
		var read *os.File
		if read, pipe, err = os.Pipe(); err != nil {
			return nil, fmt.Errorf("pass standard input on: %w", err)
		}
		go func() {
			_ = move(to, read)
			_ = to.Close()
			read.Close()
		}()
	}
	f, err := stdin.Start(streams.Stdin, pipe)
	if err != nil {
		return nil, err
	}
	return f.End, nil
}

func isTerminal(w io.Writer) bool {
	file, isFile := w.(*os.File)
	return isFile && term.IsTerminal(int(file.Fd()))
}

// follow has the terminal inside follow the size of the one outside, until stop.
func follow(outside *os.File, call *console.Caller) (stop func()) {
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, unix.SIGWINCH)
	done := make(chan struct{})
	resized <- unix.SIGWINCH // It may have changed since it was read.
	go func() {
		for {
			select {
			case <-resized:
				_ = call.Resize(sizeOf(outside))
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(resized)
		close(done)
	}
}

func sizeOf(terminal *os.File) console.Size {
	size, err := unix.IoctlGetWinsize(int(terminal.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return console.Size{}
	}
	return console.Size{Rows: size.Row, Columns: size.Col}
}

// typed is what a person types, until the first byte of a read is the escape.
type typed struct {
	*os.File
	detached chan<- struct{}
}

// Read implements io.Reader.
func (t *typed) Read(p []byte) (int, error) {
	n, err := t.File.Read(p)
	if n > 0 && p[0] == escape {
		close(t.detached)
		return 0, io.EOF
	}
	return n, err
}

// Stop ends the sandbox, by force if its command still runs, and removes all that it had. It may be called more than
// once.
func (s *Sandbox) Stop() error {
	s.once.Do(func() { s.stopErr = s.machine.Stop() })
	return s.stopErr
}

// Run makes a sandbox, runs its command and removes it again.
//
//	status, err := sandbox.Run(ctx, sandbox.Options{Command: []string{"date"}},
//		sandbox.Streams{Stdout: os.Stdout, Stderr: os.Stderr})
//
// Errors: as of Start and Attach.
func Run(ctx context.Context, o Options, streams Streams) (ExitStatus, error) {
	starting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	begun := make(chan struct{})
	var s *Sandbox
	var err error
	go func() {
		defer close(begun)
		s, err = Start(starting, o)
	}()
	asked := ExitStatus(0)
	for waiting := true; waiting; {
		select {
		case <-begun:
			waiting = false
		case received := <-streams.Signals:
			if number, isNumber := received.(syscall.Signal); isNumber && isEnd(number) {
				asked = ExitStatus(128 + int(number))
				cancel(fmt.Errorf("stopped by signal: %v", number))
			}
		}
	}
	if s != nil && asked != 0 {
		return asked, s.Stop()
	}
	if asked != 0 {
		return asked, nil
	}
	if err != nil {
		return StatusFailure, err
	}
	status, err := s.Attach(ctx, streams)
	return status, errors.Join(err, s.Stop())
}
