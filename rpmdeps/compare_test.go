// SPDX-License-Identifier: Apache-2.0

package rpmdeps

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	rpmdb "github.com/knqyf263/go-rpmdb/pkg"

	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

// TestSameAsRPM compares every file of every package with what `rpm -ql --dump` says of the same database.
func TestSameAsRPM(t *testing.T) {
	dir := hostDatabase(t)
	all := records(t, dir)
	t.Run("sqlite", func(t *testing.T) { compareWithRPM(t, dir) })
	t.Run("bdb", func(t *testing.T) { compareWithRPM(t, bdbDatabase(t, all, 4096)) })
}

// TestDistributions reads databases that distributions ship, which the library of the bdb format has for its own tests.
func TestDistributions(t *testing.T) {
	library := strings.TrimSpace(run(t, nil, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/knqyf263/go-rpmdb"))
	tests := []struct {
		name, file string
		compare    func(t *testing.T, dir string)
		quick      bool
	}{
		{"centos5-plain", "Packages", compareWithRPM, true}, // bdb of an old version; MD5 digests
		{"centos7-httpd24", "Packages", compareWithRPM, false},
		{"ubi8-s390x", "Packages", compareWithRPM, false}, // big-endian
		{"fedora35", "rpmdb.sqlite", compareWithRPM, false},
		{"cbl-mariner-2.0", "rpmdb.sqlite", compareWithRPM, true},
		{"sle15-bci", "Packages.db", compareWithLibrary, true}, // Debian's rpm can't read ndb
	}
	for _, test := range tests {
		if testing.Short() && !test.quick {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			copyFile(t, filepath.Join(library, "pkg", "testdata", test.name, test.file), filepath.Join(dir, test.file))
			test.compare(t, dir)
		})
	}
}

func compareWithRPM(t *testing.T, dir string) {
	t.Helper()
	printed := run(t, nil, "rpm", "--dbpath", dir, "-qa", "--qf", "package %{NAME} %{VERSION}-%{RELEASE} %{SOURCERPM}\n",
		"--dump")
	compareLines(t, ourLines(t, dir), parseDump(t, printed))
}

// parseDump reads lines of "path size mtime digest mode user group isconfig isdoc rdev symlink".
func parseDump(t *testing.T, printed string) (lines []string) {
	t.Helper()
	format := regexp.MustCompile(`^(/.*) \d+ \d+ ([0-9a-f]*) (0\d+) (\S+) (\S+) ([01]) [01] \d+ (.*)$`)
	pkg := new(pkgdb.Package)
	for line := range strings.Lines(printed) {
		line = strings.TrimSuffix(line, "\n")
		if names, found := strings.CutPrefix(line, "package "); found {
			var source string
			pkg = new(pkgdb.Package)
			if _, err := fmt.Sscan(names, &pkg.Name, &pkg.Version, &source); err != nil {
				t.Fatal(err)
			}
			pkg.Source = sourceOf(source)
			lines = append(lines, describe(pkg, pkgdb.File{}))
			continue
		}
		if line == "(contains no files)" {
			continue
		}
		fields := format.FindStringSubmatch(line)
		if fields == nil {
			t.Fatalf("rpm printed %q", line)
		}
		mode, err := strconv.ParseUint(fields[3], 8, 16)
		if err != nil {
			t.Fatal(err)
		}
		f := pkgdb.File{Path: fields[1], Mode: modeOf(mode), User: fields[4], Group: fields[5], Config: fields[6] == "1"}
		if strings.Trim(fields[2], "0") != "" && f.Mode.IsRegular() {
			f.Digest = map[int]string{32: "md5", 64: "sha256"}[len(fields[2])] + ":" + fields[2]
		}
		if fields[7] != "X" {
			f.LinkTarget = fields[7]
		}
		lines = append(lines, describe(pkg, f))
	}
	return lines
}

// sourceOf cuts the name out of a source RPM's, NAME-VERSION-RELEASE.src.rpm.
func sourceOf(file string) string {
	if file == "(none)" {
		return ""
	}
	return regexp.MustCompile(`^(.+)-[^-]+-[^-]+$`).FindStringSubmatch(file)[1]
}

func modeOf(unix uint64) fs.FileMode {
	types := map[uint64]fs.FileMode{
		0o04: fs.ModeDir,
		0o10: 0,
		0o12: fs.ModeSymlink,
		0o02: fs.ModeDevice | fs.ModeCharDevice,
		0o06: fs.ModeDevice,
		0o01: fs.ModeNamedPipe,
	}
	mode := fs.FileMode(unix&0o777) | types[unix>>12]
	for bit, flag := range map[uint64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if unix&bit != 0 {
			mode |= flag
		}
	}
	return mode
}

// compareWithLibrary compares with the library, which knows no link targets.
func compareWithLibrary(t *testing.T, dir string) {
	t.Helper()
	db, err := rpmdb.Open(filepath.Join(dir, "Packages.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	infos, err := db.ListPackages()
	if err != nil {
		t.Fatal(err)
	}
	var theirs []string
	for _, info := range infos {
		files, err := info.InstalledFiles()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			theirs = append(theirs, fmt.Sprintln(info.Name, f.Path, modeOf(uint64(f.Mode)), f.Username, f.Groupname))
		}
	}
	var ours []string
	for _, pkg := range allPackages(t, dir) {
		for _, f := range pkg.Files {
			ours = append(ours, fmt.Sprintln(pkg.Name, f.Path, f.Mode, f.User, f.Group))
			target := f.LinkTarget != ""
			if link := f.Mode&fs.ModeSymlink != 0; link != target {
				t.Errorf("%s: mode %v, link target %q", f.Path, f.Mode, f.LinkTarget)
			}
		}
	}
	compareLines(t, ours, theirs)
}

func ourLines(t *testing.T, dir string) (lines []string) {
	t.Helper()
	for _, pkg := range allPackages(t, dir) {
		lines = append(lines, describe(pkg, pkgdb.File{}))
		for _, f := range pkg.Files {
			lines = append(lines, describe(pkg, f))
		}
	}
	return lines
}

func describe(pkg *pkgdb.Package, f pkgdb.File) string {
	return fmt.Sprintf("%s %s of %s: %+v", pkg.Name, pkg.Version, pkg.Source, f)
}

// allPackages returns every version of every package of a database.
func allPackages(t *testing.T, dir string) (all []*pkgdb.Package) {
	t.Helper()
	switch s := open(t, dir).store.(type) {
	case *memStore:
		return s.packages
	case *sqliteStore:
		r := newReader(s.db)
		if err := r.read(context.Background(), "SELECT hnum FROM Name"); err != nil {
			t.Fatal(err)
		}
		return r.packages
	default:
		t.Fatalf("unknown store %T", s)
		return nil
	}
}

func compareLines(t *testing.T, ours, theirs []string) {
	t.Helper()
	if len(theirs) == 0 {
		t.Fatal("nothing to compare with")
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	if slices.Equal(ours, theirs) {
		return
	}
	wrong := 0
	for i := 0; i < min(len(ours), len(theirs)) && wrong < 5; i++ {
		if ours[i] != theirs[i] {
			t.Logf("got %s\nwant %s", ours[i], theirs[i])
			wrong++
		}
	}
	t.Errorf("got %d lines, want %d", len(ours), len(theirs))
}
