package helper

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// CopyImage copies an image that is not in use to a file that must not be there yet: by a reflink where the file system can
// (ioctl_ficlone(2)), else without its holes. When it fails no file is left. The copy keeps the UUID of the file system in
// it: nothing here goes by that, and XFS is mounted with nouuid.
func CopyImage(ctx context.Context, from, to string) (err error) {
	fail := func(err error) error { return fmt.Errorf("copy image %s to %s: %w", from, to, err) }
	source, err := os.Open(from)
	if err != nil {
		return fail(err)
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return fail(err)
	}
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fail(err)
	}
	defer func() {
		if closeErr := target.Close(); err == nil && closeErr != nil {
			err = fail(closeErr)
		}
		if err != nil {
			err = errors.Join(err, os.Remove(to))
		}
	}()
	if unix.IoctlFileClone(int(target.Fd()), int(source.Fd())) == nil {
		return nil
	}
	if err := errors.Join(target.Truncate(info.Size()), copyData(ctx, source, target, info.Size()), target.Sync()); err != nil {
		return fail(err)
	}
	return nil
}

// copyData copies what is no hole, from the beginning to the end.
func copyData(ctx context.Context, source, target *os.File, size int64) error {
	for at := int64(0); at < size; {
		data, err := unix.Seek(int(source.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // Only a hole is left.
		}
		if err != nil {
			return err
		}
		end, err := unix.Seek(int(source.Fd()), data, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		for read, write := data, data; read < end; {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			const step = 16 << 20
			n, err := unix.CopyFileRange(int(source.Fd()), &read, int(target.Fd()), &write, int(min(step, end-read)), 0)
			if errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
				n, err = copyRange(source, target, read, min(step, end-read))
				read, write = read+int64(n), write+int64(n)
			}
			if err != nil {
				return err
			}
			if n == 0 {
				return errors.New("it became shorter meanwhile")
			}
		}
		at = end
	}
	return nil
}

// copyRange copies between file systems that the kernel does not copy between.
func copyRange(source, target *os.File, at, length int64) (int, error) {
	buffer := make([]byte, min(length, 1<<20))
	n, err := source.ReadAt(buffer, at)
	if n == 0 {
		return 0, err
	}
	return target.WriteAt(buffer[:n], at)
}
