package content

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// copyPart is how much is copied at a time: between two parts a copy can be told to stop.
const copyPart = 16 << 20

// copyData gives an empty file the data of another: shared with it where the file system can (ioctl_ficlone(2)), else part by
// part, and where the one has holes (lseek(2)) so has the other.
func copyData(ctx context.Context, from, to *os.File, progress *Progress) error {
	if unix.IoctlFileClone(int(to.Fd()), int(from.Fd())) == nil {
		return ctx.Err()
	}
	at := int64(0)
	for {
		begin, err := from.Seek(at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break
		}
		if err != nil {
			return err
		}
		if at, err = from.Seek(begin, unix.SEEK_HOLE); err != nil {
			return err
		}
		if err := copyExtent(ctx, from, to, begin, at, progress); err != nil {
			return err
		}
	}
	size, err := from.Seek(0, io.SeekEnd)
	if err != nil || size == at {
		return err
	}
	return to.Truncate(size)
}

// copyExtent copies the bytes from begin up to end. Files copy to each other in the kernel where that can.
func copyExtent(ctx context.Context, from, to *os.File, begin, end int64, progress *Progress) error {
	for _, f := range []*os.File{from, to} {
		if _, err := f.Seek(begin, io.SeekStart); err != nil {
			return err
		}
	}
	for begin < end {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.CopyN(to, from, min(end-begin, copyPart))
		progress.add(int(n))
		if errors.Is(err, io.EOF) {
			// The file became shorter.
			return nil
		}
		if err != nil {
			return err
		}
		begin += n
	}
	return nil
}
