// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

// Ship puts the files of a version of a package on a host and returns the package.
func Ship(t *testing.T, root string, tree map[string]string) *pkgdb.Package {
	t.Helper()
	p := &pkgdb.Package{Name: "d", Version: "1", Source: "d"}
	for file, text := range tree {
		Put(t, root, file, text)
		f := pkgdb.File{Path: filepath.Clean(file), Mode: 0o644}
		target, isLink := strings.CutPrefix(text, "-> ")
		switch {
		case strings.HasSuffix(file, "/"):
			f.Mode = os.ModeDir | 0o755
		case isLink:
			f.Mode, f.LinkTarget = os.ModeSymlink|0o777, target
		case strings.HasPrefix(text, "md5 "):
			sum := md5.Sum([]byte(text))
			f.Digest = "md5:" + hex.EncodeToString(sum[:])
		default:
			f.Digest = SHA256(text)
		}
		p.Files = append(p.Files, f)
	}
	return p
}

// SHA256 returns the digest of a text as packages have it.
func SHA256(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Put is Add that takes the place of what is there.
func Put(t *testing.T, root, p, text string) {
	t.Helper()
	if !strings.HasSuffix(p, "/") {
		_ = os.Remove(root + p)
	}
	Add(t, root, map[string]string{p: text})
}

// Edit writes a file of a tree as root in the container would.
func Edit(t *testing.T, dir, p, text string) {
	t.Helper()
	at := dir + p
	target, isLink := strings.CutPrefix(text, "-> ")
	err := os.RemoveAll(at)
	switch {
	case err != nil || text == "gone":
	case text == "fifo":
		err = unix.Mkfifo(at, 0o600)
	case text == "whiteout": // over a file of a lower tree
		err = unix.Mknod(at, unix.S_IFCHR, 0)
	case text == "directory":
		err = os.Mkdir(at, 0o755)
	case isLink:
		err = os.Symlink(target, at)
	default:
		err = os.WriteFile(at, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Reads returns what a path of a tree is: its text, "-> " and the target of a link, or "none".
func Reads(t *testing.T, dir, p string) string {
	t.Helper()
	info, err := os.Lstat(dir + p)
	switch {
	case os.IsNotExist(err):
		return "none"
	case err != nil:
		t.Fatal(err)
	case info.Mode()&os.ModeSymlink != 0:
		target, err := os.Readlink(dir + p)
		if err != nil {
			t.Fatal(err)
		}
		return "-> " + target
	case !info.Mode().IsRegular():
		return info.Mode().Type().String()
	}
	text, err := os.ReadFile(dir + p)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
