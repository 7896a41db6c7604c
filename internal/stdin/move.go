// SPDX-License-Identifier: Apache-2.0

package stdin

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// bulk is how much is moved at once where nothing needs to be given back, in bytes: what a pipe can hold at most.
const bulk = 1 << 20

// passFile passes a file on without moving the caller's offset, which is set at the end, behind what was read.
func (c *channel) passFile() {
	begin, err := unix.Seek(c.source, 0, io.SeekCurrent)
	if err != nil {
		return
	}
	offset := begin
	target := int(c.target.Fd())
	_, _ = unix.FcntlInt(uintptr(target), unix.F_SETPIPE_SZ, bulk)
	for {
		if err = c.await(target, unix.POLLOUT); err != nil {
			break
		}
		var n int64
		n, err = unix.Splice(c.source, &offset, target, nil, bulk, unix.SPLICE_F_NONBLOCK)
		if errors.Is(err, unix.EINVAL) {
			n, err = c.copyAt(&offset)
		}
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
			continue
		}
		if n == 0 || err != nil {
			break
		}
	}
	unread := waiting(target)
	if err == nil {
		if watch := c.closeButWatch(); watch != nil {
			c.awaitStop()
			unread = waiting(int(watch.Fd()))
			watch.Close()
		} else {
			unread = 0
		}
	}
	// Whoever reads the pipe may write to it too, and does not have the caller read again what came before.
	_, _ = unix.Seek(c.source, max(begin, offset-int64(unread)), io.SeekStart)
}

// copyAt is splice for a file that the kernel cannot splice.
func (c *channel) copyAt(offset *int64) (int64, error) {
	buffer := make([]byte, os.Getpagesize())
	n, err := unix.Pread(c.source, buffer, *offset)
	if n <= 0 || err != nil {
		return 0, err
	}
	written, err := unix.Write(int(c.target.Fd()), buffer[:n])
	if written < 0 {
		written = 0
	}
	*offset += int64(written)
	return int64(written), err
}

// exact is how much of a pipe is passed on by what the command has read: whoever reads more reads in bulk.
const exact = 1 << 20

// passPipe passes a pipe on. What is shown to the command stays in the caller's pipe until it was read (tee(2)). The
// command's pipe has one page for that time: it is writable again when all that was shown is read.
func (c *channel) passPipe() {
	target := int(c.target.Fd())
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer nowhere.Close()
	size, err := unix.FcntlInt(uintptr(target), unix.F_SETPIPE_SZ, os.Getpagesize())
	for read := 0; err == nil && read < exact; {
		if c.await(c.source, unix.POLLIN) != nil || c.await(target, unix.POLLOUT) != nil {
			return
		}
		shown, err := unix.Tee(c.source, target, size, unix.SPLICE_F_NONBLOCK)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
			continue
		}
		if err != nil || shown == 0 {
			return
		}
		stopped := c.await(target, unix.POLLOUT)
		n := int(shown)
		if stopped != nil {
			// Whoever reads the pipe may write to it too.
			n = max(0, n-waiting(target))
		}
		if !c.discard(n, int(nowhere.Fd())) || stopped != nil {
			return
		}
		read += n
	}
	c.passBulk()
}

// discard takes from the caller's pipe what the command has read.
func (c *channel) discard(n, nowhere int) bool {
	for n > 0 {
		moved, err := unix.Splice(c.source, nil, nowhere, nil, n, unix.SPLICE_F_NONBLOCK)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if moved <= 0 || err != nil {
			return false // Another reader of it was quicker.
		}
		n -= int(moved)
	}
	return true
}

// Where much is under way, but less than half of bulk has come, more is awaited for a moment after it was passed on: to
// be woken for each page that a writer writes costs more than to move it.
const (
	muchData = 4096
	moment   = 100 * time.Microsecond
)

func (c *channel) passBulk() {
	target := int(c.target.Fd())
	for _, fd := range []int{c.source, target} {
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, bulk)
	}
	for c.await(c.source, unix.POLLIN) == nil && c.await(target, unix.POLLOUT) == nil {
		n, err := unix.Splice(c.source, nil, target, nil, bulk, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
		case err != nil || n == 0:
			return
		case n >= muchData && n < bulk/2:
			pause := unix.NsecToTimespec(int64(moment))
			_ = unix.Nanosleep(&pause, nil)
		}
	}
}

// passOther passes on what can only be taken: a terminal, a socket, a device.
func (c *channel) passOther() {
	buffer := make([]byte, 64<<10)
	for c.awaitInput() == nil {
		n, err := unix.Read(c.source, buffer)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
			continue
		}
		if n <= 0 || err != nil || c.write(buffer[:n]) != nil {
			return
		}
	}
}

// backgroundPause is how often a program in the background of a terminal looks whether it is in the foreground.
const backgroundPause = 200 * time.Millisecond

// awaitInput waits for what may be read. A program in the background that reads its terminal would be stopped, also for
// the sake of a command that reads nothing.
func (c *channel) awaitInput() error {
	for {
		if err := c.await(c.source, unix.POLLIN); err != nil {
			return err
		}
		if inForeground(c.source) {
			return nil
		}
		polled := []unix.PollFd{{Fd: int32(c.stop), Events: unix.POLLIN}}
		if n, _ := unix.Poll(polled, int(backgroundPause.Milliseconds())); n > 0 {
			return errStopped
		}
	}
}

// IsTerminal reports whether a person at a terminal has the program in the foreground, types its input and sees its
// output: in the background, to set the terminal up would stop it.
func IsTerminal(input, output *os.File) bool {
	return term.IsTerminal(int(input.Fd())) && term.IsTerminal(int(output.Fd())) && inForeground(int(input.Fd()))
}

// inForeground reports whether the program may read from a file: all but a terminal that another process group has.
func inForeground(fd int) bool {
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err != nil || group == unix.Getpgrp()
}

func (c *channel) write(data []byte) error {
	target := int(c.target.Fd())
	for len(data) > 0 {
		if err := c.await(target, unix.POLLOUT); err != nil {
			return err
		}
		n, err := unix.Write(target, data[:min(len(data), os.Getpagesize())])
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
			continue
		}
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}
