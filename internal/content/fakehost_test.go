package content

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

// TestMain gives the files of fake hosts the modes that they have on ordinary ones.
func TestMain(m *testing.M) {
	unix.Umask(0o022)
	os.Exit(m.Run())
}

// fakeHost is a root directory of its own, with packages that exist in memory only.
type fakeHost struct {
	Host
	t *testing.T
}

// serviceUID owns what belongs to the account "svc" of a fake host: an account of its own where the test may give files
// away, else the one that the test runs as.
func serviceUID() int {
	if uid := os.Getuid(); uid != 0 {
		return uid
	}
	return 4242
}

// newHost makes a host that has the files given, and accounts.
func newHost(t *testing.T, tree map[string]string, packages ...*pkgdb.Package) fakeHost {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h := fakeHost{Host{Root: root, Packages: []pkgdb.Database{fakePackages(packages)}}, t}
	h.add(map[string]string{
		"/etc/passwd": fmt.Sprintf("root:x:0:0::/root:/bin/sh\nsvc:x:%d:%d::/:/bin/false\n+@nis::::::\n", serviceUID(), os.Getgid()),
		"/etc/group":  fmt.Sprintf("root:x:0:\nmail:x:%d:\nsystemd-journal:x:%d:\n", os.Getgid(), os.Getgid()),
		"/run/":       "", "/var/lib/": "", "/var/log/": "",
	})
	h.add(tree)
	return h
}

// add makes files of the texts given; a path that ends in / is a directory, and a text that begins with "-> " a symbolic
// link.
func (h fakeHost) add(tree map[string]string) {
	h.t.Helper()
	for p, text := range tree {
		at := h.Root + p
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
			h.t.Fatal(err)
		}
	}
}

// close keeps others than owner and group out of paths.
func (h fakeHost) close(paths ...string) {
	h.t.Helper()
	for _, p := range paths {
		info, err := os.Stat(h.Root + p)
		if err == nil {
			err = os.Chmod(h.Root+p, info.Mode()&^0o007)
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h fakeHost) unit(name string) *Unit {
	h.t.Helper()
	u, err := h.FindUnit(name, "box")
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}

// fakePackages is a package database. Each path is owned by the packages that list it.
type fakePackages []*pkgdb.Package

func (f fakePackages) Owners(_ context.Context, paths ...string) (map[string][]string, error) {
	owners := make(map[string][]string)
	for _, p := range paths {
		for _, pkg := range f {
			for _, file := range pkg.Files {
				if contains(pkgdb.Spellings(p), file.Path) {
					owners[p] = append(owners[p], pkg.Name)
				}
			}
		}
	}
	return owners, nil
}

func (f fakePackages) Tally(_ context.Context, dirs ...string) (map[string]map[string]int, error) {
	tally := make(map[string]map[string]int)
	for _, dir := range dirs {
		tally[dir] = make(map[string]int)
		for _, pkg := range f {
			if n := len(pkg.Below(dir)); n > 0 {
				tally[dir][pkg.Name] = n
			}
		}
	}
	return tally, nil
}

func (f fakePackages) Package(_ context.Context, name string) (*pkgdb.Package, error) {
	for _, pkg := range f {
		if pkg.Name == name {
			return pkg, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", name, pkgdb.ErrNoPackage)
}

func (f fakePackages) NewSuffix() string { return ".rpmnew" }

// pkg is a package of a source package that owns paths; those that end in / are directories.
func pkg(name, source string, paths ...string) *pkgdb.Package {
	p := &pkgdb.Package{Name: name, Version: "1", Source: source}
	for _, file := range paths {
		f := pkgdb.File{Path: path.Clean(file), Mode: 0o644}
		if strings.HasSuffix(file, "/") {
			f.Mode = os.ModeDir | 0o755
		}
		p.Files = append(p.Files, f)
	}
	return p
}
