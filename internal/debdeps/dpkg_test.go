// SPDX-License-Identifier: Apache-2.0

package debdeps

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// run returns what a command of the package dpkg prints. Its own messages are shown only when it fails.
func run(t testing.TB, name string, arguments ...string) string {
	t.Helper()
	command := exec.Command(name, arguments...)
	command.Env = append(os.Environ(), "LC_ALL=C")
	output, err := command.Output()
	var failed *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		t.Fatalf("%s is missing: install the package dpkg", name)
	case errors.As(err, &failed):
		t.Fatalf("%s %q: %v\n%s", name, arguments, err, failed.Stderr)
	case err != nil:
		t.Fatal(err)
	}
	return string(output)
}

// deb is a package that dpkg-deb builds: its fields besides those that all have, and its files.
type deb struct {
	name, arch string
	fields     string
	conffiles  string
	files      map[string]file
}

// file is content, or the target of a link.
type file struct {
	text, link string
	mode       os.FileMode
}

// build returns the file of the package.
func (d deb) build(t testing.TB) string {
	t.Helper()
	tree := t.TempDir()
	control := "Package: " + d.name + "\nVersion: 1.0-2\nArchitecture: " + d.arch + "\nMaintainer: none\nDescription: " +
		"none\n" + d.fields
	write(t, filepath.Join(tree, "DEBIAN/control"), file{text: control, mode: 0o644})
	if d.conffiles != "" {
		write(t, filepath.Join(tree, "DEBIAN/conffiles"), file{text: d.conffiles, mode: 0o644})
	}
	for name, f := range d.files {
		write(t, filepath.Join(tree, name), f)
	}
	for _, dir := range []string{tree, filepath.Join(tree, "DEBIAN")} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, tree+".deb")
	return tree + ".deb"
}

func write(t testing.TB, name string, f file) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(name), 0o755)
	if err == nil && f.link != "" {
		err = os.Symlink(f.link, name)
	} else if err == nil {
		// The mode is set apart, for the umask takes from it.
		err = errors.Join(os.WriteFile(name, []byte(f.text), 0o600), os.Chmod(name, f.mode))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// system is a root directory in which real dpkg installs packages.
type system struct {
	t    testing.TB
	root string
}

// newSystem makes a root with merged /usr.
func newSystem(t testing.TB) system {
	t.Helper()
	s := system{t, t.TempDir()}
	for _, dir := range []string{"usr/lib", "usr/sbin", "var/lib/dpkg/info", "var/lib/dpkg/updates",
		"var/lib/dpkg/triggers"} {
		if err := os.MkdirAll(filepath.Join(s.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(s.root, "lib"), file{link: "usr/lib"})
	write(t, filepath.Join(s.root, "var/lib/dpkg/status"), file{mode: 0o644})
	return s
}

func (s system) dpkg(arguments ...string) {
	s.t.Helper()
	run(s.t, "dpkg", append([]string{"--root=" + s.root, "--log=/dev/null", "--force-all"}, arguments...)...)
}

func (s system) open() *DB {
	s.t.Helper()
	db, err := Open(filepath.Join(s.root, "var/lib/dpkg"), s.root)
	if err != nil {
		s.t.Fatal(err)
	}
	return db
}
