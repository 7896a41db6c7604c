// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// spliceSize is how much is moved at once: what the pipes of a sandbox hold.
const spliceSize = 1 << 20

// Where much is under way, but less than half of spliceSize has come, more is awaited for a moment after it was passed
// on: to be woken for each page that a writer writes costs more than to move it.
const (
	muchData = 4096
	moment   = 100 * time.Microsecond
)

// move copies a stream to its end. Between a pipe and another file the kernel does so without a copy of ours
// (splice(2)), but into what has a position: there splice writes, and goes on, where the file stood when it was called,
// so that what others wrote into it while it waited would be lost.
func move(to io.Writer, from io.Reader) error {
	source, fromFile := from.(*os.File)
	target, toFile := to.(*os.File)
	if fromFile && toFile && !hasPosition(target) {
		for _, f := range []*os.File{source, target} {
			// As much as can be moved at once. What is no pipe has no size, and a user may have too many pipes.
			_, _ = unix.FcntlInt(f.Fd(), unix.F_SETPIPE_SZ, spliceSize)
		}
		done, err := splice(int(target.Fd()), int(source.Fd()))
		if done {
			return err
		}
	}
	_, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, 64<<10))
	return err
}

// hasPosition reports whether a file is a regular one or a block device.
func hasPosition(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && (info.Mode().IsRegular() || info.Mode().Type() == os.ModeDevice)
}

// splice is move for files of which one is a pipe; not done where the kernel cannot.
func splice(target, source int) (done bool, err error) {
	for moved := false; ; {
		n, err := unix.Splice(source, nil, target, nil, spliceSize, unix.SPLICE_F_MOVE)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			// One of the two has been made non-blocking by someone who has it too.
			if err := await(source, unix.POLLIN); err != nil {
				return true, err
			}
			if err := await(target, unix.POLLOUT); err != nil {
				return true, err
			}
		case errors.Is(err, unix.EINVAL) && !moved:
			return false, nil
		case err != nil:
			return true, err
		case n == 0:
			return true, nil
		default:
			moved = true
			if n >= muchData && n < spliceSize/2 {
				pause := unix.NsecToTimespec(int64(moment))
				_ = unix.Nanosleep(&pause, nil)
			}
		}
	}
}

func await(fd int, events int16) error {
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, -1)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
