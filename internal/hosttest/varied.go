// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// VariedRoot makes a host with one of everything that a copy must keep.
func VariedRoot(t *testing.T) string {
	t.Helper()
	root := Root(t, map[string]string{
		"/etc/d/d.conf": "plain", "/etc/d/empty": "", "/etc/d/setuid": "#!", "/etc/d/closed": "secret",
		"/etc/d/attributed": "x",
		"/etc/d/first":      "linked", "/etc/d/sub/deep/er/file": "deep", "/etc/d/empty-dir/": "", "/etc/d/drop/": "",
		"/etc/d/link": "-> d.conf", "/etc/d/link-out": "-> /etc/passwd", "/etc/d/dangling": "-> ../absent",
		"/etc/d/name with \n newline": "odd", "/etc/d/name that is not UTF-8 \xff": "odder",
		"/etc/d/big": strings.Repeat("0123456789abcdef", 40000),
	})
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	d := root + "/etc/d/"
	check(os.Link(d+"first", d+"second"))
	check(os.Link(d+"first", d+"sub/third"))
	check(unix.Mkfifo(d+"fifo", 0o600))
	check(unix.Mknod(d+"socket", unix.S_IFSOCK|0o600, 0))
	if os.Getuid() == 0 {
		for i, name := range []string{"d.conf", "setuid", "sub", "link", "empty-dir"} {
			check(os.Lchown(d+name, 1000+i, 2000+i))
		}
	}
	for name, mode := range map[string]uint32{
		"setuid": 0o6755, "closed": 0o600, "drop": 0o1777, "sub": 0o2750, "sub/deep": 0o711, "d.conf": 0o664,
	} {
		check(unix.Chmod(d+name, mode))
	}
	for name, value := range map[string]string{"attributed": "a\x00b", "sub": "on a directory"} {
		if err := unix.Setxattr(d+name, "user.test", []byte(value), 0); err != nil {
			t.Logf("this file system has no extended attributes to copy: %v", err)
		}
	}
	old := time.Date(2001, 2, 3, 4, 5, 6, 123456789, time.UTC)
	for i, name := range []string{
		"d.conf", "empty", "first", "link", "dangling", "sub/deep/er/file", "sub/deep", "sub", ".",
	} {
		stamp, err := unix.TimeToTimespec(old.Add(time.Duration(i) * time.Hour))
		check(err)
		check(unix.UtimesNanoAt(unix.AT_FDCWD, d+name, []unix.Timespec{stamp, stamp}, unix.AT_SYMLINK_NOFOLLOW))
	}
	return root
}
