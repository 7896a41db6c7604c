// SPDX-License-Identifier: Apache-2.0

package filetree

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// BufferSize is that of buffers for data on their way; one for each of hundreds of containers takes no time to clear.
const BufferSize = 64 << 10

// DataCopy fills an empty file with the data of another. Each part passes through the buffer, and between two it can be
// told to stop.
type DataCopy struct {
	Ctx      context.Context
	From, To int
	Sums     *Sums // of the data; nil where they are not asked for
	Buffer   []byte
	Progress *Progress
}

// Run copies: the data are shared where the file system can (ioctl_ficlone(2)), and where the one file, whose status is
// s, has holes (lseek(2)), so has the other.
func (c *DataCopy) Run(s *unix.Stat_t) error {
	if unix.IoctlFileClone(c.To, c.From) == nil {
		return c.SumTarget()
	}
	const blockSize = 512 // stat(2)
	if s.Blocks*blockSize >= s.Size {
		_, err := c.extent(0, 1<<63-1)
		return err
	}
	at := int64(0)
	for {
		begin, err := unix.Seek(c.From, at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break
		}
		if err != nil {
			return err
		}
		end, err := unix.Seek(c.From, begin, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if err := c.Sums.hole(c.Ctx, begin-at); err != nil {
			return err
		}
		if at, err = c.extent(begin, end); err != nil {
			return err
		}
		if at < end {
			// The file became shorter.
			return nil
		}
	}
	size, err := unix.Seek(c.From, 0, io.SeekEnd)
	if err != nil || size <= at {
		return err
	}
	if err := c.Sums.hole(c.Ctx, size-at); err != nil {
		return err
	}
	return unix.Ftruncate(c.To, size)
}

// extent copies the bytes from begin up to end, or to the end of the file, and gives where that was.
func (c *DataCopy) extent(begin, end int64) (reached int64, err error) {
	for begin < end {
		part, err := readAt(c.From, c.Buffer[:min(end-begin, int64(len(c.Buffer)))], begin)
		if err != nil || len(part) == 0 {
			return begin, err
		}
		for done := 0; done < len(part); {
			n, err := unix.Pwrite(c.To, part[done:], begin+int64(done))
			if err != nil && !errors.Is(err, unix.EINTR) {
				return begin, err
			}
			done += max(n, 0)
		}
		if _, err := c.Sums.Write(part); err != nil {
			return begin, err
		}
		c.Progress.Add(len(part))
		begin += int64(len(part))
		if err := c.Ctx.Err(); err != nil {
			return begin, err
		}
	}
	return begin, nil
}

// SumTarget is for a file that has its data already.
func (c *DataCopy) SumTarget() error {
	for at := int64(0); c.Sums != nil; {
		part, err := readAt(c.To, c.Buffer, at)
		if err != nil || len(part) == 0 {
			return err
		}
		if _, err := c.Sums.Write(part); err != nil {
			return err
		}
		at += int64(len(part))
		if err := c.Ctx.Err(); err != nil {
			return err
		}
	}
	return c.Ctx.Err()
}

// readAt returns what of a file fits into the buffer, or nothing at its end.
func readAt(fd int, buffer []byte, at int64) ([]byte, error) {
	for {
		n, err := unix.Pread(fd, buffer, at)
		if !errors.Is(err, unix.EINTR) {
			return buffer[:max(n, 0)], err
		}
	}
}
