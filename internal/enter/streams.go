// SPDX-License-Identifier: Apache-2.0

package enter

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/stdin"
)

// lateLimit is how long what a command left behind, such as the other end of a pipe that it wrote to, may go on
// writing when the command has ended.
const lateLimit = time.Second

// runOnPipes keeps the three streams apart. The command has pipes of ours, never what the caller has: a file given to
// it could be opened anew by /proc/PID/fd, whatever it was opened for, a terminal typed into, and a socket kept.
func runOnPipes(ctx context.Context, target Target, process *exec.Cmd, command Command, start startFunc) error {
	var theirs []*os.File
	defer func() { closeAll(theirs) }()
	inner, outer, err := newPipe(target)
	if err != nil {
		return err
	}
	theirs = append(theirs, inner)
	process.Stdin = inner
	var outputs []*output
	for _, stream := range []struct {
		to      io.Writer
		process *io.Writer
	}{{command.Stdout, &process.Stdout}, {command.Stderr, &process.Stderr}} {
		if len(outputs) > 0 && same(command.Stdout, command.Stderr) {
			*stream.process = process.Stdout
			continue
		}
		read, write, err := newPipe(target)
		if err != nil {
			return err
		}
		defer read.Close()
		theirs = append(theirs, write)
		*stream.process = write
		outputs = append(outputs, &output{from: read, to: stream.to, done: make(chan struct{})})
	}
	// Where nobody reads any more that ends the command, which tells by its status, and not this process.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, unix.SIGPIPE)
	defer signal.Stop(broken)
	if err := start(process); err != nil {
		outer.Close()
		return err
	}
	closeAll(theirs)
	theirs = nil
	in, err := stdin.Start(command.Stdin, outer)
	if err != nil {
		return err
	}
	defer in.End()
	for _, o := range outputs {
		go o.copy()
	}
	err = wait(ctx, process)
	late := make(chan struct{})
	defer time.AfterFunc(lateLimit, func() { close(late) }).Stop()
	for _, o := range outputs {
		o.finish(ctx, late)
	}
	return err
}

// wait waits for the end of a process, but not of one that was to end with the context and cannot: it stands still with
// the container that it was to enter.
func wait(ctx context.Context, process *exec.Cmd) error {
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(lateLimit):
		return context.Cause(ctx)
	}
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// same reports whether two writers are one, to which only one goroutine may write.
func same(a, b io.Writer) bool {
	// Those of a type that cannot be compared are not.
	defer func() { _ = recover() }()
	return a == b
}

// pending returns how many bytes wait in a pipe.
func pending(pipe *os.File) (n int, err error) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return 0, err
	}
	controlErr := raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	return n, errors.Join(controlErr, err)
}

// output is what a command writes.
type output struct {
	from *os.File
	to   io.Writer // nil for nowhere
	done chan struct{}
}

// copy passes on what comes until its end, and then the command's next write fails as the caller's did. After a read
// deadline it takes what waits in the pipe at that time, and no more.
func (o *output) copy() {
	defer close(o.done)
	defer o.from.Close()
	if o.to == nil {
		o.to = io.Discard
	}
	buffer := make([]byte, 64<<10)
	left := math.MaxInt
	for left > 0 {
		n, err := o.from.Read(buffer[:min(left, len(buffer))])
		if n > 0 {
			if _, err := o.to.Write(buffer[:n]); err != nil {
				return
			}
		}
		ended := left < math.MaxInt
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && !ended:
			if left, err = pending(o.from); err != nil {
				return
			}
			// It is there; should root inside take it away, this does not wait for more.
			_ = o.from.SetReadDeadline(time.Now().Add(lateLimit))
		case err != nil:
			return
		case ended:
			left -= n
		}
	}
}

// finish waits until what the command has written is passed on, and until late for what comes from those that it left
// behind. A caller that does not read has it wait, unless the context ends.
func (o *output) finish(ctx context.Context, late <-chan struct{}) {
	select {
	case <-o.done:
		return
	case <-ctx.Done():
		return
	case <-late:
	}
	_ = o.from.SetReadDeadline(time.Now())
	select {
	case <-o.done:
	case <-ctx.Done():
	}
}
