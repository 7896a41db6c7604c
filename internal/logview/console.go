// SPDX-License-Identifier: Apache-2.0

package logview

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
)

// OpenConsole opens the file for writing.
func OpenConsole(s *config.Sandbox) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(s.Content, filestate.ConsoleLog),
		os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open console log: %w", err)
	}
	return file, nil
}

// ConsoleFile shows the file in which a command's console is kept where no systemd runs. It has no times to choose by.
func ConsoleFile(ctx context.Context, s *config.Sandbox, o Options, stdout io.Writer) error {
	if chosen := (Options{Follow: o.Follow, Lines: o.Lines, Unit: o.Unit}); o != chosen {
		return field.Errorf("without systemd the console of %s is kept without times; only %s and %s choose from it",
			s.Name, field.Follow, field.Lines)
	}
	tree, err := os.OpenRoot(s.Content)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read console log: %w", err)
	}
	defer tree.Close()
	file, err := filetree.OpenRegular(tree, filestate.ConsoleLog)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read console log: %w", err)
	}
	defer file.Close()
	if err := skipToLast(file, o.Lines); err != nil {
		return fmt.Errorf("read console log: %w", err)
	}
	for {
		if _, err := io.Copy(stdout, file); err != nil {
			return fmt.Errorf("read console log: %w", err)
		}
		if !o.Follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// skipToLast moves in a file to where its last lines begin; a negative number is all.
func skipToLast(file *os.File, lines int) error {
	if lines < 0 {
		return nil
	}
	at, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	// The end of the last line begins none.
	for left, buffer := lines+1, make([]byte, 64<<10); at > 0; {
		part := buffer[:min(at, int64(len(buffer)))]
		at -= int64(len(part))
		if _, err := file.ReadAt(part, at); err != nil {
			return err
		}
		for i := len(part) - 1; i >= 0; i-- {
			if part[i] != '\n' {
				continue
			}
			if left--; left == 0 {
				_, err := file.Seek(at+int64(i)+1, io.SeekStart)
				return err
			}
		}
	}
	_, err = file.Seek(0, io.SeekStart)
	return err
}
