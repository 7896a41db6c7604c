// SPDX-License-Identifier: Apache-2.0

package rpmdeps

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

var _ pkgdb.Database = (*DB)(nil)

const (
	webUnit = "/usr/lib/systemd/system/httpd.service"
	ftpUnit = "/lib/systemd/system/vsftpd.service"
)

func TestOwners(t *testing.T) {
	tests := []struct {
		name  string
		paths []string
		want  map[string][]string
	}{
		{"a unit", []string{webUnit}, map[string][]string{webUnit: {"httpd"}}},
		{
			"recorded below /usr, asked without",
			[]string{"/lib/systemd/system/httpd.service"},
			map[string][]string{"/lib/systemd/system/httpd.service": {"httpd"}},
		},
		{"recorded without /usr, asked below", []string{"/usr" + ftpUnit}, map[string][]string{"/usr" + ftpUnit: {"vsftpd"}}},
		{
			"both spellings at once",
			[]string{ftpUnit, "/usr" + ftpUnit},
			map[string][]string{ftpUnit: {"vsftpd"}, "/usr" + ftpUnit: {"vsftpd"}},
		},
		{
			"a program asked by the other directory of programs",
			[]string{"/usr/bin/httpd"},
			map[string][]string{"/usr/bin/httpd": {"httpd"}},
		},
		{"a directory of two packages", []string{"/etc/httpd/conf.d"}, map[string][]string{"/etc/httpd/conf.d": {"httpd",
			"mod_ssl"}}},
		{"a link", []string{"/etc/httpd/logs"}, map[string][]string{"/etc/httpd/logs": {"httpd"}}},
		{"a file of another directory and the same name", []string{"/etc/httpd.service"}, map[string][]string{}},
		{"a directory that packages have files in", []string{"/usr/lib/systemd/system"}, map[string][]string{}},
		{"an owned path among others", []string{"/etc/motd", webUnit, "/nowhere"}, map[string][]string{webUnit: {"httpd"}}},
		{"no path", nil, map[string][]string{}},
	}
	eachFormat(t, func(t *testing.T, dir string) {
		db := open(t, dir)
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				got, err := db.Owners(context.Background(), test.paths...)
				if err != nil {
					t.Fatal(err)
				}
				for _, names := range got {
					slices.Sort(names)
				}
				if !reflect.DeepEqual(got, test.want) {
					t.Errorf("got %v, want %v", got, test.want)
				}
			})
		}
	})
}

func TestPackage(t *testing.T) {
	sum := func(text string) string {
		hash := sha256.Sum256([]byte(text))
		return "sha256:" + hex.EncodeToString(hash[:])
	}
	tests := []pkgdb.Package{
		{Name: "httpd", Version: "2.4.62-1", Source: "httpd", Files: []pkgdb.File{
			{Path: "/etc/httpd/conf.d", Mode: fs.ModeDir | 0o755, User: "root", Group: "root"},
			{Path: "/etc/httpd/httpd.conf", Mode: 0o644, User: "root", Group: "root", Config: true, Digest: sum("Listen\n")},
			{
				Path:       "/etc/httpd/logs",
				Mode:       fs.ModeSymlink | 0o777,
				User:       "root",
				Group:      "root",
				LinkTarget: "../../var/log/httpd",
			},
			{Path: webUnit, Mode: 0o644, User: "root", Group: "root", Digest: sum(webUnitText)},
			{Path: "/usr/sbin/httpd", Mode: 0o755, User: "root", Group: "root", Digest: sum("program\n")},
			{Path: "/usr/sbin/suexec", Mode: fs.ModeSetuid | 0o510, User: "root", Group: "apache", Digest: sum("helper\n")},
			{Path: "/var/www", Mode: fs.ModeDir | fs.ModeSetgid | 0o750, User: "apache", Group: "www"},
			{Path: "/var/www/cache", Mode: 0o600, User: "root", Group: "root"},
		}, Scripts: []string{"true useradd -r apache", "true groupadd -r httpd"}},
		{Name: "mod_ssl", Version: "2.4.62-1", Source: "httpd", Depends: []string{
			"/etc/httpd/httpd.conf", "httpd", "httpd-filesystem",
		}, Files: []pkgdb.File{
			{Path: "/etc/httpd/conf.d", Mode: fs.ModeDir | 0o755, User: "root", Group: "root"},
			{
				Path:   "/etc/httpd/conf.d/ssl.conf",
				Mode:   0o640,
				User:   "apache",
				Group:  "apache",
				Config: true,
				Digest: sum("SSLEngine\n"),
			},
		}},
		{Name: "httpd-meta", Version: "2.4.62-1", Source: "httpd", Files: []pkgdb.File{}},
		{Name: "kernel", Version: "10-1", Source: "kernel", Files: []pkgdb.File{
			{Path: "/boot/vmlinuz-10", Mode: 0o644, User: "root", Group: "root", Digest: sum("10\n")},
		}},
	}
	eachFormat(t, func(t *testing.T, dir string) {
		db := open(t, dir)
		for _, want := range tests {
			t.Run(want.Name, func(t *testing.T) {
				got, err := db.Package(context.Background(), want.Name)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(*got, want) {
					t.Errorf("got\n%+v, want\n%+v", *got, want)
				}
			})
		}
	})
}

func TestPackageNotInstalled(t *testing.T) {
	eachFormat(t, func(t *testing.T, dir string) {
		for _, name := range []string{"nginx", "http", "HTTPD", "%", ""} {
			if pkg, err := open(t, dir).Package(context.Background(), name); !errors.Is(err, pkgdb.ErrNoPackage) {
				t.Errorf("%q: got %v, %v, want ErrNoPackage", name, pkg, err)
			}
		}
	})
}

func TestBelow(t *testing.T) {
	pkg, err := open(t, hostDatabase(t)).Package(context.Background(), "httpd")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		roots []string
		want  []string
	}{
		{"a tree", []string{"/var"}, []string{"/var/www", "/var/www/cache"}},
		{"the directory itself", []string{"/var/www"}, []string{"/var/www", "/var/www/cache"}},
		{"a name that begins the same", []string{"/etc/httpd/log", "/usr/sbin/http"}, nil},
		{"trees within each other", []string{"/etc", "/etc/httpd/conf.d"}, []string{"/etc/httpd/conf.d",
			"/etc/httpd/httpd.conf", "/etc/httpd/logs"}},
		{"no tree", nil, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, f := range pkg.Below(test.roots...) {
				got = append(got, f.Path)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestTally(t *testing.T) {
	want := map[string]map[string]int{
		"/etc":               {"httpd": 3, "mod_ssl": 2},
		"/etc/httpd/conf.d":  {"httpd": 1, "mod_ssl": 2},
		"/etc/httpd/conf":    {},
		"/var/www":           {"httpd": 2},
		"/var":               {"httpd": 2},
		"/boot":              {"kernel": 2},
		"/nowhere":           {},
		"/usr/lib/systemd":   {"httpd": 1},
		"/lib/systemd":       {"vsftpd": 1},
		"/etc/httpd/logs":    {"httpd": 1},
		"/etc/httpd/logs/no": {},
	}
	eachFormat(t, func(t *testing.T, dir string) {
		db := open(t, dir)
		got, err := db.Tally(context.Background(), slices.Collect(maps.Keys(want))...)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		for dir := range want {
			if got, err := db.Tally(context.Background(), dir); err != nil || !reflect.DeepEqual(got[dir], want[dir]) {
				t.Errorf("%s alone: got %v, %v, want %v", dir, got, err, want[dir])
			}
		}
	})
}

func TestOpenChoosesTheDirectory(t *testing.T) {
	empty, database := t.TempDir(), hostDatabase(t)
	db, err := Open(filepath.Join(empty, "missing"), empty, database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Package(context.Background(), "httpd"); err != nil {
		t.Error(err)
	}
	for _, dirs := range [][]string{{empty}, {filepath.Join(empty, "missing")}, nil} {
		if _, err := Open(dirs...); !errors.Is(err, ErrNoDatabase) {
			t.Errorf("%q: got %v, want ErrNoDatabase", dirs, err)
		}
	}
}
