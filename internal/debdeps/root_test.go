// SPDX-License-Identifier: Apache-2.0

package debdeps

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

var _ pkgdb.Database = (*DB)(nil)

const (
	webUnit = "/lib/systemd/system/web.service"
	ftpUnit = "/usr/lib/systemd/system/ftp.service"
)

// host is a system with a service recorded at either place of units, a library for two architectures, a package that
// was removed and one that was purged.
func host(t testing.TB) system {
	t.Helper()
	s := newSystem(t)
	web := deb{name: "web", arch: "all", fields: "Source: web-suite (2.0)\n", conffiles: "/etc/web/web.conf\n/etc/web/a " +
		"b.conf\n", files: map[string]file{
		webUnit:             {text: "unit\n", mode: 0o644},
		"/etc/web/web.conf": {text: "Listen\n", mode: 0o640},
		"/etc/web/a b.conf": {text: "spaces\n", mode: 0o644},
		"/etc/web/logs":     {link: "../../var/log/web"},
		"/usr/sbin/web":     {text: "program\n", mode: fs.ModeSetgid | 0o755},
		"/usr/share/web/x":  {text: "x\n", mode: 0o644},
		"/DEBIAN/md5sums": {
			text: md5sum("x\n") + "  usr/share/web/x\n" + md5sum("program\n") + "  ./usr/sbin/web\n",
			mode: 0o644,
		},
		"/DEBIAN/postinst": {text: "#!/bin/sh\ntrue adduser web\n", mode: 0o755},
	}}
	ftp := deb{name: "ftp", arch: "all", files: map[string]file{ftpUnit: {text: "unit\n", mode: 0o644},
		"/etc/web/ftp.conf": {text: "beside\n", mode: 0o644}}}
	removed := deb{
		name:      "removed",
		arch:      "all",
		conffiles: "/etc/removed.conf\n",
		files:     map[string]file{"/etc/removed.conf": {text: "kept\n", mode: 0o644}},
	}
	purged := deb{name: "purged", arch: "all", files: map[string]file{"/etc/purged.conf": {text: "gone\n", mode: 0o644}}}
	tool := deb{name: "dpkg", arch: "amd64", files: map[string]file{"/usr/bin/dpkg": {text: "program\n", mode: 0o755}}}
	arguments := []string{"-i", web.build(t), ftp.build(t), removed.build(t), purged.build(t), tool.build(t)}
	// In the alphabet the host's own architecture is between two others.
	for _, arch := range []string{"alpha", "amd64", "i386"} {
		s.dpkg("--add-architecture", arch)
		library := deb{name: "library", arch: arch, fields: "Multi-Arch: same\n", files: map[string]file{
			"/usr/lib/" + arch + "/library.so": {
				text: arch + "\n",
				mode: 0o644,
			}, "/usr/share/doc/library": {text: "same\n", mode: 0o644},
		}}
		arguments = append(arguments, library.build(t))
	}
	s.dpkg(arguments...)
	s.dpkg("--remove", "removed")
	s.dpkg("--purge", "purged")
	return s
}

func md5sum(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestOwners(t *testing.T) {
	db := host(t).open()
	tests := []struct {
		name  string
		paths []string
		want  map[string][]string
	}{
		{"a unit", []string{webUnit}, map[string][]string{webUnit: {"web"}}},
		{"recorded without /usr, asked below", []string{"/usr" + webUnit}, map[string][]string{"/usr" + webUnit: {"web"}}},
		{
			"recorded below /usr, asked without",
			[]string{"/lib/systemd/system/ftp.service"},
			map[string][]string{"/lib/systemd/system/ftp.service": {"ftp"}},
		},
		{
			"both spellings at once",
			[]string{webUnit, "/usr" + webUnit},
			map[string][]string{webUnit: {"web"}, "/usr" + webUnit: {"web"}},
		},
		{"a directory of two packages", []string{"/etc/web"}, map[string][]string{"/etc/web": {"ftp", "web"}}},
		{"a path with spaces", []string{"/etc/web/a b.conf"}, map[string][]string{"/etc/web/a b.conf": {"web"}}},
		{
			"a library of one architecture",
			[]string{"/usr/lib/i386/library.so"},
			map[string][]string{"/usr/lib/i386/library.so": {"library"}},
		},
		{
			"a file of several architectures",
			[]string{"/usr/share/doc/library"},
			map[string][]string{"/usr/share/doc/library": {"library"}},
		},
		{"what a removed package left", []string{"/etc/removed.conf"}, map[string][]string{}},
		{"what a purged package had", []string{"/etc/purged.conf"}, map[string][]string{}},
		{"a part of a name", []string{"/etc/we", "/etc/web/web"}, map[string][]string{}},
		{"an owned path among others", []string{"/etc/motd", webUnit}, map[string][]string{webUnit: {"web"}}},
		{"no path", nil, map[string][]string{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := db.Owners(context.Background(), test.paths...)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestPackage(t *testing.T) {
	s := host(t)
	got, err := s.open().Package(context.Background(), "web")
	if err != nil {
		t.Fatal(err)
	}
	if got.Version != "1.0-2" || got.Source != "web-suite" {
		t.Errorf("got version %s of %s, want 1.0-2 of web-suite", got.Version, got.Source)
	}
	if want := []string{"#!/bin/sh\ntrue adduser web\n"}; !reflect.DeepEqual(got.Scripts, want) {
		t.Errorf("got scripts %q, want %q", got.Scripts, want)
	}
	owner := ownerOf(t, filepath.Join(s.root, "usr/sbin/web"))
	want := map[string]pkgdb.File{
		webUnit:             {Mode: 0o644},
		"/etc/web":          {Mode: fs.ModeDir | 0o755},
		"/etc/web/web.conf": {Mode: 0o640, Config: true, Digest: "md5:" + md5sum("Listen\n")},
		"/etc/web/a b.conf": {Mode: 0o644, Config: true, Digest: "md5:" + md5sum("spaces\n")},
		"/etc/web/logs":     {Mode: fs.ModeSymlink | 0o777, LinkTarget: "../../var/log/web"},
		"/usr/sbin/web":     {Mode: fs.ModeSetgid | 0o755, Digest: "md5:" + md5sum("program\n")},
		"/usr/share/web/x":  {Mode: 0o644, Digest: "md5:" + md5sum("x\n")},
	}
	for _, f := range got.Files {
		expected, listed := want[f.Path]
		if !listed {
			continue
		}
		delete(want, f.Path)
		expected.Path, expected.User, expected.Group = f.Path, owner.User, owner.Group
		if f != expected {
			t.Errorf("got %+v, want %+v", f, expected)
		}
	}
	if len(want) > 0 {
		t.Errorf("not among the files: %v", want)
	}
}

// ownerOf asks stat(1) by whose name dpkg installed, who need not be root.
func ownerOf(t *testing.T, name string) (f pkgdb.File) {
	t.Helper()
	var found bool
	if f.User, f.Group, found = strings.Cut(strings.TrimSpace(run(t, "stat", "-c", "%U:%G", name)), ":"); !found {
		t.Fatalf("stat says %q", f.User)
	}
	return f
}

func TestPackageKeepsDigestsAsShipped(t *testing.T) {
	s := host(t)
	write(t, filepath.Join(s.root, "etc/web/web.conf"), file{text: "changed\n", mode: 0o600})
	if err := os.Remove(filepath.Join(s.root, "usr/share/web/x")); err != nil {
		t.Fatal(err)
	}
	pkg, err := s.open().Package(context.Background(), "web")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range pkg.Files {
		switch f.Path {
		case "/etc/web/web.conf":
			if f.Mode != 0o600 || f.Digest != "md5:"+md5sum("Listen\n") {
				t.Errorf("changed file: got %+v, want the mode as it is and the digest as shipped", f)
			}
		case "/usr/share/web/x":
			if want := (pkgdb.File{Path: f.Path, Digest: "md5:" + md5sum("x\n")}); f != want {
				t.Errorf("deleted file: got %+v, want %+v", f, want)
			}
		}
	}
}

func TestPackageOfSeveralArchitectures(t *testing.T) {
	db := host(t).open()
	// The order of a map is another one each time.
	for range 20 {
		pkg, err := db.Package(context.Background(), "library")
		if err != nil {
			t.Fatal(err)
		}
		if len(pkg.Below("/usr/lib/amd64")) == 0 || len(pkg.Below("/usr/lib/i386", "/usr/lib/alpha")) != 0 {
			t.Fatalf("got %+v, want the files of dpkg's own architecture", pkg.Files)
		}
	}
}

func TestPackageNotInstalled(t *testing.T) {
	db := host(t).open()
	for _, name := range []string{"nginx", "we", "removed", "purged", "library:i386", ""} {
		if pkg, err := db.Package(context.Background(), name); !errors.Is(err, pkgdb.ErrNoPackage) {
			t.Errorf("%q: got %v, %v, want ErrNoPackage", name, pkg, err)
		}
	}
}

func TestTally(t *testing.T) {
	want := map[string]map[string]int{
		"/etc":               {"web": 5, "ftp": 3},
		"/etc/web":           {"web": 4, "ftp": 2},
		"/etc/we":            {},
		"/usr/share/doc":     {"library": 2},
		"/usr/lib/i386":      {"library": 2},
		"/nowhere":           {},
		"/lib/systemd":       {"web": 3},
		"/usr/share/web/x":   {"web": 1},
		"/usr/share/web/x/y": {},
	}
	var dirs []string
	for dir := range want {
		dirs = append(dirs, dir)
	}
	got, err := host(t).open().Tally(context.Background(), dirs...)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNoDatabase(t *testing.T) {
	if _, err := Open(t.TempDir(), "/"); !errors.Is(err, ErrNoDatabase) {
		t.Errorf("got %v, want ErrNoDatabase", err)
	}
}
