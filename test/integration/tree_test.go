// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sparseSize is how long the file with a hole is; sparseUse is what it may take.
const (
	sparseSize = 1 << 30
	sparseUse  = 1 << 20
)

// fillTree puts files of all kinds below a directory of a content: some thousands, and one of everything that a copy
// must keep.
func fillTree(t *testing.T, dir string, files int) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	old := time.Date(2001, 2, 3, 4, 5, 6, 123456789, time.UTC)
	for i := range files {
		sub := fmt.Sprintf("%s/many/%d", dir, i%100)
		if i < 100 {
			check(os.MkdirAll(sub, 0o755))
		}
		check(os.WriteFile(fmt.Sprintf("%s/%d", sub, i), fmt.Appendf(nil, "file %d", i), 0o644))
	}
	sparse, err := os.Create(dir + "/sparse")
	check(err)
	check(sparse.Truncate(sparseSize))
	_, err = sparse.WriteAt([]byte("in the middle"), sparseSize/2)
	check(err)
	check(sparse.Close())
	for _, name := range []string{"first", "program", "attributed", "odd \xff\nname", "immutable times"} {
		check(os.WriteFile(dir+"/"+name, []byte(name), 0o640))
	}
	check(os.Link(dir+"/first", dir+"/second"))
	check(os.Link(dir+"/first", dir+"/many/0/third"))
	check(os.Symlink("../../etc/passwd", dir+"/link"))
	check(unix.Mkfifo(dir+"/pipe", 0o620))
	check(os.Mkdir(dir+"/drop", 0o755))
	check(os.Lchown(dir+"/link", 1234, 4321))
	check(os.Chown(dir+"/program", 33, 33))
	check(unix.Chmod(dir+"/program", 0o6755))
	check(unix.Chmod(dir+"/drop", 0o1777))
	// VFS_CAP_REVISION_2 with CAP_NET_BIND_SERVICE, effective.
	check(unix.Setxattr(dir+"/first", "security.capability",
		[]byte("\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0))
	for _, name := range []string{"attributed", "drop"} {
		if err := unix.Setxattr(dir+"/"+name, "user.test=1", []byte("a\x00b\n"), 0); err != nil {
			t.Logf("this file system has no user attributes: %v", err)
		}
	}
	for _, name := range []string{"program", "sparse", "drop"} {
		check(os.Chtimes(dir+"/"+name, old, old))
	}
}

// tree describes all that lies below a directory of a content, by path: kind, owners, mode, time, attributes, names of
// one file, and what is in it.
func tree(t *testing.T, content string, tops ...string) map[string]string {
	t.Helper()
	found, names := make(map[string]string), make(map[uint64]string)
	for _, top := range tops {
		err := filepath.WalkDir(content+top, func(file string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			p := strings.TrimPrefix(file, content)
			info, err := e.Info()
			if err != nil {
				return err
			}
			s := info.Sys().(*syscall.Stat_t)
			text := fmt.Sprintf("%v %d:%d %v", info.Mode(), s.Uid, s.Gid, info.ModTime().UTC())
			switch {
			case info.Mode()&fs.ModeCharDevice != 0:
				text = "deleted inside" // of which no time is kept
			case info.Mode().IsRegular():
				if first, linked := names[s.Ino]; linked {
					text += " is " + first
				}
				names[s.Ino] = p
				text += fmt.Sprintf(" %x %s", digest(t, file), attributes(file))
			case info.IsDir():
				text += " " + attributes(file)
			case info.Mode()&fs.ModeSymlink != 0:
				target, err := os.Readlink(file)
				if err != nil {
					return err
				}
				text += " " + target
			}
			found[p] = text
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// digest is that of a file's bytes, of which the many zeros in holes need not be read: of where it has others, and
// these.
func digest(t *testing.T, file string) []byte {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	hash := sha256.New()
	block, zeros := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := int64(0); ; {
		// To a multiple of the block, so that where the holes are makes no difference.
		data, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		at = max(at, data-data%int64(len(block)))
		n, err := f.ReadAt(block, at)
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if !bytes.Equal(block[:n], zeros[:n]) {
			fmt.Fprintf(hash, "%d %d ", at, n)
			hash.Write(block[:n])
		}
		at += int64(len(block))
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(hash, size)
	return hash.Sum(nil)
}

// attributes lists the extended attributes of a file but its label.
func attributes(file string) string {
	var list, value [4096]byte
	n, _ := unix.Listxattr(file, list[:])
	var found []string
	for name := range strings.SplitSeq(string(list[:max(n, 0)]), "\x00") {
		// What the kernel notes of the layers of /etc is of one sandbox.
		isNote := strings.HasPrefix(name, "trusted.overlay.") && name != "trusted.overlay.opaque"
		if name != "" && name != "security.selinux" && !isNote {
			n, _ := unix.Getxattr(file, name, value[:])
			found = append(found, fmt.Sprintf("%s=%q", name, value[:max(n, 0)]))
		}
	}
	slices.Sort(found)
	return strings.Join(found, " ")
}

// sameTree compares two descriptions but for paths that are to differ, and of dir/* all that lies in dir.
func sameTree(t *testing.T, what string, got, want map[string]string, but ...string) {
	t.Helper()
	differences := 0
	for _, p := range slices.Sorted(maps.Keys(merged(got, want))) {
		isLeft := slices.ContainsFunc(but, func(b string) bool {
			return p == b || strings.HasSuffix(b, "*") && strings.HasPrefix(p, strings.TrimSuffix(b, "*"))
		})
		if got[p] == want[p] || isLeft {
			continue
		}
		if differences++; differences < 10 {
			t.Errorf("%s: %q is\n\t%q, want\n\t%q", what, p, got[p], want[p])
		}
	}
	if len(want) == 0 {
		t.Errorf("%s: there is nothing to compare", what)
	}
}

func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// isSparse fails the test where the file with a hole has come to take space.
func isSparse(t *testing.T, file string) {
	t.Helper()
	var s unix.Stat_t
	if err := unix.Stat(file, &s); err != nil {
		t.Fatal(err)
	}
	if s.Size != sparseSize || s.Blocks*512 > sparseUse {
		t.Errorf("%s has %d bytes and takes %d", file, s.Size, s.Blocks*512)
	}
}
