// SPDX-License-Identifier: Apache-2.0

package journalrelay

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// watch hears of changes to a directory (inotify(7)). It keeps no descriptor of it, so that it hears of its removal
// too.
type watch struct {
	events *os.File
	inode  uint64
}

// journald writes by memory maps, and then tells those who watch by a truncation to the length that there is.
const changes = unix.IN_MODIFY | unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF |
	unix.IN_ONLYDIR

func newWatch(dir *os.File) (*watch, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &stat); err != nil {
		return nil, err
	}
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("watch journal: %w", err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, "/proc/self/fd/"+strconv.Itoa(int(dir.Fd())), changes); err != nil {
		events.Close()
		return nil, fmt.Errorf("watch journal: %w", err)
	}
	return &watch{events, stat.Ino}, nil
}

func (w *watch) close() { w.events.Close() }

// isOf reports whether the directory is the one that is watched.
func (w *watch) isOf(dir *os.File) bool {
	var stat unix.Stat_t
	return unix.Fstat(int(dir.Fd()), &stat) == nil && stat.Ino == w.inode
}

// await waits for a change until the deadline, zero for none, or the end of the context. It reports whether the
// directory is gone from its place.
func (w *watch) await(ctx context.Context, deadline time.Time) (gone bool) {
	_ = w.events.SetReadDeadline(deadline)
	defer context.AfterFunc(ctx, func() { _ = w.events.SetReadDeadline(time.Now()) })()
	return w.read()
}

// drain takes all that has come meanwhile, but not without end what comes as fast as it is taken.
func (w *watch) drain() (gone bool) {
	_ = w.events.SetReadDeadline(time.Time{})
	raw, err := w.events.SyscallConn()
	if err != nil {
		return true
	}
	buffer := make([]byte, 4096)
	_ = raw.Read(func(fd uintptr) bool {
		for range maxDrained {
			n, err := unix.Read(int(fd), buffer)
			if n <= 0 || err != nil {
				break
			}
			gone = gone || isGone(buffer[:n])
		}
		return true
	})
	return gone
}

// maxDrained bounds how often is read at a time. What is left tells of a change once more.
const maxDrained = 64

func (w *watch) read() (gone bool) {
	buffer := make([]byte, 4096)
	n, err := w.events.Read(buffer)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	return isGone(buffer[:max(n, 0)])
}

// isGone reports whether one of the events tells that the directory is no more in its place.
func isGone(events []byte) bool {
	for len(events) >= unix.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(events[4:])
		if mask&(unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_IGNORED|unix.IN_UNMOUNT) != 0 {
			return true
		}
		size := uint64(unix.SizeofInotifyEvent) + uint64(binary.NativeEndian.Uint32(events[12:]))
		events = events[min(size, uint64(len(events))):]
	}
	return false
}
