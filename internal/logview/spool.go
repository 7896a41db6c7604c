package logview

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// maxSpool bounds what is kept of a program's output.
const maxSpool = 1 << 30

// spool is a file without a name that takes output, of a bounded length, until somebody wants it.
type spool struct {
	file   *os.File
	left   int64
	failed error
}

var errSpoolFull = fmt.Errorf("more than %d MiB of output; ask for less with -n, -u, --since or --until", maxSpool>>20)

func newSpool(limit int64) (*spool, error) {
	// Not in memory, as /tmp may be.
	file, err := os.CreateTemp("/var/tmp", "virt-sandbox-")
	if err != nil {
		return nil, fmt.Errorf("keep output: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, fmt.Errorf("keep output: %w", err)
	}
	return &spool{file: file, left: limit}, nil
}

func (s *spool) Write(text []byte) (int, error) {
	if int64(len(text)) > s.left {
		s.failed = errSpoolFull
		return 0, s.failed
	}
	n, err := s.file.Write(text)
	s.left -= int64(n)
	if err != nil {
		s.failed = fmt.Errorf("keep output: %w", err)
	}
	return n, s.failed
}

// pour writes out what was kept.
func (s *spool) pour(out io.Writer) error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read kept output: %w", err)
	}
	_, err := io.Copy(out, s.file)
	return err
}

// Spooled has run write into files, calls release, and writes out only then what there is.
func Spooled(
	stdout, stderr io.Writer, release func(), run func(stdout, stderr io.Writer) (int, error),
) (int, error) {
	out, err := newSpool(maxSpool)
	if err != nil {
		release()
		return 0, err
	}
	defer out.file.Close()
	warnings, err := newSpool(maxSpool)
	if err != nil {
		release()
		return 0, err
	}
	defer warnings.file.Close()
	status, err := run(out, warnings)
	release()
	if failed := errors.Join(out.failed, warnings.failed); failed != nil {
		err = failed
	}
	return status, errors.Join(err, warnings.pour(stderr), out.pour(stdout))
}
