// SPDX-License-Identifier: Apache-2.0

// Package textfile reads and writes small text files: never waiting for what is no file, and never leaving half of one.
// In: a path and a text. Out: the same. It knows no format; package config calls it.
package textfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

var errNotRegular = errors.New("it is not a regular file")

// Read reads a regular file of at most limit bytes, and one byte more of a longer one. It never waits: a named pipe
// among configs must not hold up a boot.
func Read(file string, limit int64) (string, error) {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return "", &fs.PathError{Op: "open", Path: file, Err: err}
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return "", &fs.PathError{Op: "stat", Path: file, Err: err}
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return "", &fs.PathError{Op: "read", Path: file, Err: errNotRegular}
	}
	data := make([]byte, min(stat.Size, limit)+1)
	length := 0
	for length < len(data) {
		n, err := unix.Read(fd, data[length:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return "", &fs.PathError{Op: "read", Path: file, Err: err}
		}
		length += n
		if length < len(data) {
			// Less than asked for: it was the end of the file.
			break
		}
	}
	return string(data[:length]), nil
}

// Write writes a file in one step, with the permissions given whatever the umask is; those of one that is replaced
// stay. It removes the temporary files of writes of it that were killed.
// Preconditions: nobody else writes the file meanwhile.
func Write(file, text string, mode fs.FileMode) error {
	if err := RemoveStale(file); err != nil {
		return err
	}
	return renameio.WriteFile(file, []byte(text), mode, renameio.WithTempDir(filepath.Dir(file)), renameio.IgnoreUmask())
}

// Remove removes a file, if it is there. That it is not is no error on a file system that is read-only, either.
func Remove(file string) error {
	err := os.Remove(file)
	if _, absent := os.Lstat(file); errors.Is(absent, fs.ErrNotExist) {
		return nil
	}
	return err
}

// RemoveStale removes the temporary files of writes of a file that were killed.
// Preconditions: nobody writes the file meanwhile.
func RemoveStale(file string) error {
	dir := filepath.Dir(file)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for what an interrupted write left: %w", err)
	}
	for _, e := range entries {
		digits, found := strings.CutPrefix(e.Name(), "."+filepath.Base(file))
		if !found || digits == "" || strings.Trim(digits, "0123456789") != "" || !e.Type().IsRegular() {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("remove what an interrupted write left: %w", err)
		}
	}
	return nil
}

// WriteAs writes a file as Write does, and the directory of it, for everybody to read unless it is secret. A new file
// takes the permissions of the one that it replaces, of a secret one no more than root's.
func WriteAs(file, text string, secret bool) error {
	mode := fs.FileMode(0o644)
	if secret {
		mode = 0o600
		// Of a link, that to which it leads is somebody else's, and is not replaced.
		if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() {
			if err := os.Chmod(file, mode); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return Write(file, text, mode)
}

// Names lists what lies in a directory, in no order. Many are listed at a boot.
func Names(dir string) ([]string, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(fd)
	var names []string
	buffer := make([]byte, 4096)
	for {
		n, err := unix.ReadDirent(fd, buffer)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			if err != nil {
				err = &fs.PathError{Op: "read", Path: dir, Err: err}
			}
			return names, err
		}
		_, _, names = unix.ParseDirent(buffer[:n], -1, names)
	}
}
