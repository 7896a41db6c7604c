// SPDX-License-Identifier: Apache-2.0

// Package hosttest makes root directories that look like hosts, and package databases in memory, for tests of the
// packages that take such. Only tests import it.
package hosttest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ServiceUID returns the number that owns what belongs to the account "svc" of a fake host: an account of its own where
// the test may give files away, else the one that the test runs as.
func ServiceUID() int {
	if uid := os.Getuid(); uid != 0 {
		return uid
	}
	return 4242
}

// Root makes a host that has the files given, and accounts, and returns its root directory. See Add for the files.
func Root(t *testing.T, tree map[string]string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	Add(t, root, map[string]string{
		"/etc/passwd": fmt.Sprintf("root:x:0:0::/root:/bin/sh\nsvc:x:%d:%d::/:/bin/false\n+@nis::::::\n",
			ServiceUID(), os.Getgid()),
		"/etc/group": fmt.Sprintf("root:x:0:\nmail:x:%d:\nsystemd-journal:x:%d:\n", os.Getgid(), os.Getgid()),
		"/run/":      "", "/var/lib/": "", "/var/log/": "",
	})
	Add(t, root, tree)
	return root
}

// Add makes files of the texts given; a path that ends in / is a directory, and a text that begins with "-> " a
// symbolic link.
func Add(t *testing.T, root string, tree map[string]string) {
	t.Helper()
	for p, text := range tree {
		at := root + p
		err := os.MkdirAll(filepath.Dir(at), 0o755)
		target, isLink := strings.CutPrefix(text, "-> ")
		switch {
		case err != nil:
		case strings.HasSuffix(p, "/"):
			err = os.MkdirAll(at, 0o755)
		case isLink:
			err = os.Symlink(target, at)
		default:
			err = os.WriteFile(at, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Close keeps others than owner and group out of paths.
func Close(t *testing.T, root string, paths ...string) {
	t.Helper()
	for _, p := range paths {
		info, err := os.Stat(root + p)
		if err == nil {
			err = os.Chmod(root+p, info.Mode()&^0o007)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
