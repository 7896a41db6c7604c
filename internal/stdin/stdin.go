// SPDX-License-Identifier: Apache-2.0

// Package stdin passes a caller's standard input on to a command and takes no more of it than the command reads: what a
// script has behind the command is still there, as if the command had the input itself, which it never has. In: the
// input, and the writing end of a pipe that the command reads. The programs that run commands in sandboxes use it.
package stdin

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Feed passes an input on.
type Feed struct {
	stop      *os.File // at its end once the feed is to stop
	end       func()
	givesBack bool // what was not read, and so has something to do at the end
	done      chan struct{}
}

// Start begins to pass on what from has, to its end, which the command then sees. Where from is nil there is nothing.
// It takes over to.
func Start(from io.Reader, to *os.File) (*Feed, error) {
	stop, end, err := os.Pipe()
	if err != nil {
		to.Close()
		return nil, fmt.Errorf("pass standard input on: %w", err)
	}
	f := &Feed{stop: stop, end: sync.OnceFunc(func() { end.Close() }), done: make(chan struct{})}
	pass := func() {}
	switch source, isFile := from.(*os.File); {
	case isFile:
		c := &channel{source: int(source.Fd()), target: to, stop: int(stop.Fd())}
		pass, f.givesBack = c.chosen()
	case from != nil:
		pass = func() { _, _ = io.Copy(to, from) }
	}
	go func() {
		defer close(f.done)
		defer stop.Close()
		defer to.Close()
		pass()
	}()
	return f, nil
}

// End stops, and leaves to the caller what the command has not read of a file or a pipe. It is called when the command
// has ended. A read of anything else cannot be ended, and may go on.
func (f *Feed) End() {
	f.end()
	if f.givesBack {
		<-f.done
	}
}

// channel moves data from one descriptor to another until it is to stop.
type channel struct {
	source int
	target *os.File
	stop   int
}

// chosen returns how to pass on what the source is.
func (c *channel) chosen() (pass func(), givesBack bool) {
	var stat unix.Stat_t
	if err := unix.Fstat(c.source, &stat); err != nil {
		return func() {}, false
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return c.passFile, true
	case unix.S_IFIFO:
		return c.passPipe, true
	}
	return c.passOther, false
}

// waiting returns how many bytes wait in a pipe, of which fd is an end.
func waiting(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}

// closeButWatch closes the target, so that the command sees the end, and returns an end for reading, which tells how
// much the command has not read yet; nil where there is none.
func (c *channel) closeButWatch() *os.File {
	name := "/proc/self/fd/" + strconv.Itoa(int(c.target.Fd()))
	watch, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	c.target.Close()
	if err != nil {
		return nil
	}
	return watch
}

var errStopped = errors.New("stopped")

// await waits until a descriptor is ready, or is at its end. Errors: errStopped where it is to stop, or nobody reads.
func (c *channel) await(fd int, events int16) error {
	for {
		polled := []unix.PollFd{{Fd: int32(fd), Events: events}, {Fd: int32(c.stop), Events: unix.POLLIN}}
		_, err := unix.Poll(polled, -1)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case polled[1].Revents != 0, polled[0].Revents&(unix.POLLERR|unix.POLLNVAL) != 0:
			return errStopped
		default:
			return nil
		}
	}
}

func (c *channel) awaitStop() { _ = c.await(-1, 0) }
