// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
)

// Snapshot describes everything at and below dir, by path: all that a copy must keep. Times are those of what timed
// names and of what lies below.
func Snapshot(t *testing.T, dir string, timed ...string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	names := make(map[uint64][]string) // of each inode
	err := filepath.WalkDir(dir, func(file string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrPermission) {
			return nil // the inside of what hides others, to all but root
		}
		if err != nil {
			return err
		}
		p := "/" + strings.TrimPrefix(strings.TrimPrefix(file, dir), "/")
		info, err := e.Info()
		if err != nil {
			return err
		}
		s := info.Sys().(*syscall.Stat_t)
		found[p] = fmt.Sprintf("%v %d:%d%s", info.Mode(), s.Uid, s.Gid, xattrs(t, file, info))
		for _, at := range timed {
			if pathname.IsWithin(p, at) {
				found[p] += fmt.Sprintf(" %d.%09d", s.Mtim.Sec, s.Mtim.Nsec)
			}
		}
		switch {
		case info.Mode().IsRegular():
			text, err := os.ReadFile(file)
			if err != nil && !errors.Is(err, fs.ErrPermission) {
				return err
			}
			found[p] += fmt.Sprintf(" %q", text)
			names[s.Ino] = append(names[s.Ino], p)
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(file)
			if err != nil {
				return err
			}
			found[p] += " -> " + target
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, same := range names {
		for _, p := range same {
			found[p] += fmt.Sprintf(" %q", same)
		}
	}
	return found
}

// xattrs lists the user.* attributes of what is no symbolic link.
func xattrs(t *testing.T, file string, info fs.FileInfo) string {
	t.Helper()
	if info.Mode()&fs.ModeSymlink != 0 {
		return ""
	}
	var list, value [4096]byte
	n, err := unix.Listxattr(file, list[:])
	if err != nil {
		return ""
	}
	var found []string
	for name := range strings.SplitSeq(string(list[:n]), "\x00") {
		if strings.HasPrefix(name, "user.") {
			n, err := unix.Getxattr(file, name, value[:])
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, fmt.Sprintf(" %s=%q", name, value[:n]))
		}
	}
	sort.Strings(found)
	return strings.Join(found, "")
}

// Part returns what a snapshot has at and below a path.
func Part(all map[string]string, roots ...string) map[string]string {
	found := make(map[string]string)
	for p, what := range all {
		for _, root := range roots {
			if pathname.IsWithin(p, root) {
				found[p] = what
			}
		}
	}
	return found
}

// CheckSame fails a test for each path that two snapshots do not have alike.
func CheckSame(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	for p := range want {
		if got[p] != want[p] {
			t.Errorf("%s: %s is\n%q\nwant\n%q", what, p, got[p], want[p])
		}
	}
	for p := range got {
		if _, wanted := want[p]; !wanted {
			t.Errorf("%s: %s is there: %s", what, p, got[p])
		}
	}
}
