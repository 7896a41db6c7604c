// SPDX-License-Identifier: Apache-2.0

package rpmdeps

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// specHead keeps out of the packages what the building machine would add.
const specHead = `
%global _binary_payload w0.gzdio
%global __os_install_post %{nil}
%global _binary_filedigest_algorithm 8
`

// buildRPMs returns the files of the packages that real rpmbuild makes of a spec.
func buildRPMs(t testing.TB, spec string) []string {
	t.Helper()
	top := t.TempDir()
	file, magic := filepath.Join(top, "test.spec"), filepath.Join(top, "magic")
	writeFile(t, file, specHead+spec)
	// rpmbuild looks at each file's type, and loading the whole list of types takes most of its time.
	writeFile(t, magic, "0\tstring\t#!\tscript\n")
	t.Setenv("MAGIC", magic)
	t.Setenv("OMP_NUM_THREADS", "1")
	run(t, nil, "rpmbuild", "-bb", "--quiet", "--define", "_topdir "+top, "--define", "_dbpath "+filepath.Join(top,
		"db"), file)
	rpms, err := filepath.Glob(filepath.Join(top, "RPMS", "*", "*.rpm"))
	if err != nil || len(rpms) == 0 {
		t.Fatalf("rpmbuild left no packages: %v", err)
	}
	return rpms
}

// install has real rpm record packages in the database of a directory.
func install(t testing.TB, dir string, rpms ...string) {
	t.Helper()
	run(t, nil, "rpm", append([]string{"--dbpath", dir, "-i", "--nodeps", "--justdb", "--nosignature"}, rpms...)...)
}

// open opens a database and closes it at the end of the test.
func open(t testing.TB, dir string) *DB {
	t.Helper()
	db, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// run returns what a command prints. What it says on standard error is shown only when it fails.
func run(t testing.TB, input io.Reader, name string, arguments ...string) string {
	t.Helper()
	packages := map[string]string{"rpm": "rpm", "rpmbuild": "rpm (rpm-build on Fedora)", "perl": "perl (perl-DB_File on " +
		"Fedora)", "go": "golang"}
	command := exec.Command(name, arguments...)
	command.Env = append(os.Environ(), "LC_ALL=C")
	var messages bytes.Buffer
	command.Stdin, command.Stderr = input, &messages
	output, err := command.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatalf("%s is missing: install the package %s", name, packages[name])
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, messages.String())
	}
	return string(output)
}

func writeFile(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readAll(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// copyFile copies a file that a test may change.
func copyFile(t testing.TB, from, to string) {
	t.Helper()
	writeFile(t, to, string(readAll(t, from)))
}
