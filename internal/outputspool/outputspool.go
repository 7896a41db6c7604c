// SPDX-License-Identifier: Apache-2.0

// Package outputspool keeps the output of a program until somebody takes it. In: a function that writes output while
// it holds something that others wait for; out: the same output, written once that has been released, however slow
// its reader is. The helper calls it.
package outputspool

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// FullError is returned for more output than is kept.
type FullError struct {
	Limit int64 // bytes
}

func (e *FullError) Error() string { return fmt.Sprintf("more than %d MiB of output", e.Limit>>20) }

// Run has run write into files, calls release, and writes out only then what there is. limit bounds each of the
// outputs, in bytes. It returns what run returns; release is called in any case. Errors: *FullError.
func Run(
	limit int64, stdout, stderr io.Writer, release func(), run func(stdout, stderr io.Writer) (int, error),
) (int, error) {
	out, err := newSpool(limit)
	if err != nil {
		release()
		return 0, err
	}
	defer out.file.Close()
	warnings, err := newSpool(limit)
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
	return status, errors.Join(err, warnings.writeTo(stderr), out.writeTo(stdout))
}

// spool is a file without a name that takes output, of a bounded length.
type spool struct {
	file        *os.File
	limit, left int64
	failed      error
}

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
	return &spool{file: file, limit: limit, left: limit}, nil
}

// Write keeps text. Errors: *FullError, and those of the file.
func (s *spool) Write(text []byte) (int, error) {
	if int64(len(text)) > s.left {
		s.failed = &FullError{s.limit}
		return 0, s.failed
	}
	n, err := s.file.Write(text)
	s.left -= int64(n)
	if err != nil {
		s.failed = fmt.Errorf("keep output: %w", err)
	}
	return n, s.failed
}

// writeTo writes out what was kept.
func (s *spool) writeTo(out io.Writer) error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read kept output: %w", err)
	}
	_, err := io.Copy(out, s.file)
	return err
}
