// SPDX-License-Identifier: Apache-2.0

package filetree

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrNotSmall is returned by ReadSmall for what is no file, or longer than what it is read as can be.
var ErrNotSmall = errors.New("it is no file, or too long")

// ReadSmall reads a file of a tree that others may have made: it waits for nobody, follows no link out of the tree and
// none in the last place, and reads no more than the limit. Errors: ErrNotSmall; fs.ErrNotExist.
func ReadSmall(tree *os.Root, name string, limit int64) ([]byte, error) {
	f, err := OpenRegular(tree, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = &os.PathError{Op: "read", Path: f.Name(), Err: ErrNotSmall}
	}
	return data, err
}

// ReadSmallIn is ReadSmall below a directory.
func ReadSmallIn(dir, name string, limit int64) ([]byte, error) {
	tree, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	return ReadSmall(tree, name, limit)
}

// OpenRegular opens a file of such a tree for reading. Errors: ErrNotSmall for what is no file; fs.ErrNotExist.
func OpenRegular(tree *os.Root, name string) (*os.File, error) {
	f, err := tree.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &os.PathError{Op: "open", Path: f.Name(), Err: ErrNotSmall}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ChangeSmall writes a file that ReadSmall reads anew, under the temporary name beside first. It keeps its owner and
// mode, and stays as it is where it is not there, or no such file, or where nothing changes.
func ChangeSmall(tree *os.Root, name, beside string, limit int64, change func(old string) string) error {
	old, err := ReadSmall(tree, name, limit)
	if errors.Is(err, ErrNotSmall) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ELOOP) {
		return nil
	}
	if err != nil {
		return err
	}
	text := change(string(old))
	if text == string(old) {
		return nil
	}
	info, err := tree.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	if err := tree.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := tree.WriteFile(beside, []byte(text), 0o600); err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	return errors.Join(tree.Chown(beside, int(owner.Uid), int(owner.Gid)), tree.Chmod(beside, info.Mode().Perm()),
		tree.Rename(beside, name))
}
