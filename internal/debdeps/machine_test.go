// SPDX-License-Identifier: Apache-2.0

package debdeps

import (
	"context"
	"errors"
	"os/exec"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The tests of this file compare with what this machine's dpkg says of this machine's packages.

// dpkgUnit comes with dpkg itself, at either place.
func dpkgUnit(t testing.TB) string {
	t.Helper()
	for _, p := range listed(run(t, "dpkg-query", "-L", "dpkg")) {
		if path.Ext(p) == ".service" {
			return p
		}
	}
	t.Fatal("dpkg has no unit")
	return ""
}

func machine(t testing.TB) *DB {
	t.Helper()
	db, err := Open(DefaultDir, "/")
	if err != nil {
		t.Fatalf("%v: this test runs on Debian or its like", err)
	}
	return db
}

func TestOwnersLikeDpkg(t *testing.T) {
	db := machine(t)
	unit := strings.TrimPrefix(dpkgUnit(t), "/usr")
	tests := []struct{ name, path string }{
		{"a program", "/usr/bin/dpkg"},
		{"a shell", "/bin/sh"},
		{"a shell, by the other spelling", "/usr/bin/sh"},
		{"a unit", unit},
		{"a unit, by the other spelling", "/usr" + unit},
		{"a directory of many", "/etc/default"},
		{"a file of no package", "/etc/hostname"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := db.Owners(context.Background(), test.path)
			if err != nil {
				t.Fatal(err)
			}
			if want := dpkgOwners(t, test.path); !slices.Equal(got[test.path], want) {
				t.Errorf("%s: got %v, want %v", test.path, got[test.path], want)
			}
		})
	}
}

// dpkgOwners asks dpkg for a path with and without /usr, as it knows only the one that is recorded.
func dpkgOwners(t testing.TB, p string) (owners []string) {
	t.Helper()
	short := strings.TrimPrefix(p, "/usr")
	output, err := exec.Command("dpkg-query", "-S", short, "/usr"+short).Output()
	var missed *exec.ExitError
	if err != nil && (!errors.As(err, &missed) || missed.ExitCode() != 1) {
		t.Fatalf("dpkg-query -S: %v", err)
	}
	for l := range strings.Lines(string(output)) {
		names, file, found := strings.Cut(strings.TrimSpace(l), ": ")
		if !found || file != short && file != "/usr"+short || strings.HasPrefix(l, "diversion by") {
			continue
		}
		for name := range strings.SplitSeq(names, ", ") {
			name, _, _ = strings.Cut(name, ":")
			owners = append(owners, name)
		}
	}
	slices.Sort(owners)
	return slices.Compact(owners)
}

// TestPackagesLikeDpkg compares version, source, files and configuration files of every package, or every tenth.
func TestPackagesLikeDpkg(t *testing.T) {
	db := machine(t)
	described := describedByDpkg(t)
	otherSource := 0
	for name, want := range described {
		pkg, err := db.Package(context.Background(), name)
		if err != nil {
			t.Error(err)
			continue
		}
		if pkg.Source != name {
			otherSource++
		}
		got := description{about: pkg.Version + " " + pkg.Source}
		for _, f := range pkg.Files {
			got.files = append(got.files, f.Path)
			if f.Config {
				got.conffiles = append(got.conffiles, f.Path+" "+strings.TrimPrefix(f.Digest, "md5:"))
			}
		}
		slices.Sort(got.conffiles)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	if otherSource == 0 || len(described) < 10 {
		t.Errorf("%d packages, %d of them from a source of another name, show nothing", len(described), otherSource)
	}
}

type description struct {
	about            string // version and source
	files, conffiles []string
}

// describedByDpkg asks for all packages at once, as dpkg reads its whole database each time.
func describedByDpkg(t *testing.T) map[string]description {
	t.Helper()
	native := strings.TrimSpace(run(t, "dpkg", "--print-architecture"))
	installed := strings.Split(run(t, "dpkg-query", "-W", "-f", "${binary:Package} ${Package} ${Architecture} "+
		"${db:Status-Status}|${Version} ${source:Package}|${Conffiles}|end\n"), "|end\n")
	all := make(map[string]description)
	var asked, names []string
	for i, p := range installed {
		parts := strings.SplitN(p, "|", 3)
		if len(parts) != 3 || testing.Short() && i%10 != 0 {
			continue
		}
		about := strings.Fields(parts[0])
		if arch := about[2]; about[3] != "installed" || arch != native && arch != "all" {
			continue
		}
		all[about[1]] = description{about: parts[1], conffiles: conffiles(parts[2])}
		asked, names = append(asked, about[0]), append(names, about[1])
	}
	lists := strings.Split(run(t, "dpkg-query", append([]string{"-L"}, asked...)...), "\n\n")
	if len(lists) != len(names) {
		t.Fatalf("dpkg lists %d packages of %d", len(lists), len(names))
	}
	for i, name := range names {
		d := all[name]
		d.files = listed(lists[i])
		all[name] = d
	}
	return all
}

func conffiles(field string) (files []string) {
	for l := range strings.Lines(field) {
		if l = strings.TrimSpace(l); l != "" && !strings.HasSuffix(l, " remove-on-upgrade") {
			files = append(files, strings.TrimSuffix(l, " obsolete"))
		}
	}
	slices.Sort(files)
	return files
}

// listed cuts out the remarks on files that another package puts elsewhere.
func listed(output string) (paths []string) {
	for l := range strings.Lines(output) {
		if p := strings.TrimSuffix(l, "\n"); strings.HasPrefix(p, "/") && p != "/." {
			paths = append(paths, p)
		}
	}
	return paths
}

func TestTallyLikeDpkg(t *testing.T) {
	const dir = "/etc/default"
	got, err := machine(t).Tally(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	owners := dpkgOwners(t, dir)
	if len(owners) == 0 {
		t.Fatalf("dpkg knows no owner of %s", dir)
	}
	if len(got[dir]) != len(owners) {
		t.Errorf("got %v, want %v", got[dir], owners)
	}
	for _, name := range owners {
		want := 0
		for _, p := range listed(run(t, "dpkg-query", "-L", name)) {
			if p == dir || strings.HasPrefix(p, dir+"/") {
				want++
			}
		}
		if got[dir][name] != want {
			t.Errorf("%s: got %d, want %d", name, got[dir][name], want)
		}
	}
}

func BenchmarkOwnersAndPackage(b *testing.B) {
	unit := dpkgUnit(b)
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			db := machine(b)
			owners, err := db.Owners(context.Background(), unit)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := db.Package(context.Background(), owners[unit][0]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("dpkg", func(b *testing.B) {
		for b.Loop() {
			run(b, "dpkg", "-S", unit)
			run(b, "dpkg", "-L", "dpkg")
		}
	})
}
