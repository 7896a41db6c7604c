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
	in := &input{from: command.Stdin, read: inner, to: outer}
	process.Stdin = inner
	defer in.end()
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
		return err
	}
	closeAll(theirs)
	theirs = nil
	in.begin()
	for _, o := range outputs {
		go o.copy()
	}
	err = process.Wait()
	late := make(chan struct{})
	defer time.AfterFunc(lateLimit, func() { close(late) }).Stop()
	for _, o := range outputs {
		o.finish(ctx, late)
	}
	return err
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

// input is what a command reads.
type input struct {
	from     io.Reader // nil for nothing
	read, to *os.File  // the pipe; its end for reading is open here too, and tells what has not been read
	done     chan struct{}
	unread   int64 // bytes taken from the caller that did not get into the pipe
}

// begin copies until the end of what is given, which the command then sees.
func (i *input) begin() {
	if i.from == nil {
		i.to.Close()
		return
	}
	i.done = make(chan struct{})
	go func() {
		defer close(i.done)
		buffer := make([]byte, 64<<10)
		for {
			n, err := i.from.Read(buffer)
			written, writeErr := i.to.Write(buffer[:n])
			i.unread = int64(n - written)
			if err != nil || writeErr != nil {
				i.to.Close()
				return
			}
		}
	}()
}

// end gives back to a file what the command has not read of it, so that a script that reads the same file goes on
// where the command stopped.
func (i *input) end() {
	defer i.read.Close()
	defer i.to.Close()
	file, isFile := i.from.(*os.File)
	if !isFile || i.done == nil {
		return
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return
	}
	_ = i.to.SetWriteDeadline(time.Now())
	<-i.done
	if left, err := pending(i.read); err == nil {
		_, _ = file.Seek(-i.unread-int64(left), io.SeekCurrent)
	}
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
