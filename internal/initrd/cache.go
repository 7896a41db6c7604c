// SPDX-License-Identifier: Apache-2.0

package initrd

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// Cache keeps kernels and initrds in a directory of its user's.
type Cache struct{ dir string }

// unused is how long a file stays that nobody asks for.
const unused = 30 * 24 * time.Hour

// DefaultCache is the directory for what the user's sandboxes share: /var/cache/libvirt-sandbox of root,
// libvirt-sandbox in the user's cache directory else.
func DefaultCache() (*Cache, error) {
	dir := "/var/cache/libvirt-sandbox"
	if os.Geteuid() != 0 {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("find the cache directory: %w", err)
		}
		dir = filepath.Join(base, "libvirt-sandbox")
	}
	return OpenCache(dir)
}

// OpenCache makes a directory for a cache where there is none. Errors: of one in which others could put what is booted.
func OpenCache(dir string) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make cache directory: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, fmt.Errorf("look at cache directory: %w", err)
	}
	if !info.IsDir() || !mine(info) || info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("cache directory %s: it must be a directory of your own that nobody else may write to", dir)
	}
	return &Cache{dir}, nil
}

func mine(info fs.FileInfo) bool {
	status, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(status.Uid) == os.Geteuid()
}

// Initrd returns the file of an initrd for a kernel, made when there is none of the same content.
func (c *Cache) Initrd(k Kernel, o Options) (string, error) {
	contents, err := resolve(k, o)
	if err != nil {
		return "", err
	}
	key := sha256.New()
	fmt.Fprintf(key, "initrd 1\n%s\n%s", k.Release, contents.list)
	files := []string{contents.init}
	for _, m := range contents.modules {
		files = append(files, filepath.Join(k.Modules, m.file))
	}
	for _, file := range files {
		if err := identify(key, file); err != nil {
			return "", fmt.Errorf("make initrd: %w", err)
		}
	}
	return c.file("initrd-"+k.Release, hex.EncodeToString(key.Sum(nil)), 0o644, func(out io.Writer) error {
		return contents.write(out, k)
	})
}

// Kernel returns the file that QEMU boots: the kernel in the image where it can start that, a copy of the image else.
// Each account that emulators run as has one of its own: libvirt makes it the owner, and refuses another as long as
// that boots it.
func (c *Cache) Kernel(k Kernel, account string) (string, error) {
	key := sha256.New()
	fmt.Fprintf(key, "kernel 2\n%s\n%s\n", k.Release, account)
	if err := identify(key, k.Image); err != nil {
		return "", fmt.Errorf("kernel image: %w", err)
	}
	info, err := os.Stat(k.Image)
	if err != nil {
		return "", fmt.Errorf("kernel image: %w", err)
	}
	// Distributions that keep the image to root do so for what it has, which is no less in the unpacked one.
	mode := fs.FileMode(0o600) | info.Mode().Perm()&0o044
	file, err := c.file("kernel-"+k.Release, hex.EncodeToString(key.Sum(nil)), mode, func(out io.Writer) error {
		image, err := os.ReadFile(k.Image)
		if err != nil {
			return err
		}
		kernel, err := unpackImage(image)
		if err != nil {
			return err
		}
		if kernel == nil {
			// A copy, for libvirt gives what is booted another owner and label.
			kernel = image
		}
		_, err = out.Write(kernel)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("kernel image %s: %w", k.Image, err)
	}
	return file, nil
}

// Copy returns a copy of a file for the cache's machines.
func (c *Cache) Copy(source string) (string, error) {
	key := sha256.New()
	if err := identify(key, source); err != nil {
		return "", fmt.Errorf("copy: %w", err)
	}
	file, err := c.file("copy-"+filepath.Base(source), hex.EncodeToString(key.Sum(nil)), 0o644, func(out io.Writer) error {
		from, err := os.Open(source)
		if err != nil {
			return err
		}
		defer from.Close()
		_, err = io.Copy(out, from)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("copy %s: %w", source, err)
	}
	return file, nil
}

// identify puts into a key what a file's content cannot change without.
func identify(key io.Writer, file string) error {
	var s unix.Stat_t
	if err := unix.Stat(file, &s); err != nil {
		return &fs.PathError{Op: "stat", Path: file, Err: err}
	}
	fmt.Fprintf(
		key,
		"%s %d:%d %d %d.%d %d.%d\n",
		file,
		s.Dev,
		s.Ino,
		s.Size,
		s.Mtim.Sec,
		s.Mtim.Nsec,
		s.Ctim.Sec,
		s.Ctim.Nsec,
	)
	return nil
}

// file returns the file of a key, made by write where there is none.
func (c *Cache) file(name, key string, mode fs.FileMode, write func(io.Writer) error) (string, error) {
	file := filepath.Join(c.dir, name+"-"+key[:32])
	now := time.Now()
	if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() {
		// When it was last used; it does no harm where libvirt has given the file to the emulator's user meanwhile.
		_ = os.Chtimes(file, now, now)
		return file, nil
	}
	pending, err := renameio.NewPendingFile(file, renameio.WithTempDir(c.dir), renameio.WithStaticPermissions(mode))
	if err != nil {
		return "", fmt.Errorf("write to the cache: %w", err)
	}
	defer pending.Cleanup()
	if err := write(pending); err != nil {
		return "", err
	}
	if err := pending.CloseAtomicallyReplace(); err != nil {
		return "", fmt.Errorf("write to the cache: %w", err)
	}
	return file, c.prune(now)
}

// prune removes what has not been used for long, and what a process left that was killed while it wrote.
func (c *Cache) prune(now time.Time) error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return fmt.Errorf("tidy the cache: %w", err)
	}
	for _, e := range entries {
		kind, _, _ := strings.Cut(strings.TrimPrefix(e.Name(), "."), "-")
		own := slices.Contains([]string{"initrd", "kernel", "copy"}, kind)
		info, err := e.Info()
		if err != nil || !own || !info.Mode().IsRegular() || now.Sub(info.ModTime()) < unused {
			continue
		}
		if err := os.Remove(filepath.Join(c.dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("tidy the cache: %w", err)
		}
	}
	return nil
}
