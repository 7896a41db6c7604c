// SPDX-License-Identifier: Apache-2.0

// Package packaging tries what makes releases and packages: the version, the installation, the archive of sources, and
// the packages that make test-packages has built.
package packaging

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const repository = "../.."

// run executes a command in dir, and returns what it prints.
func run(t *testing.T, dir string, command ...string) string {
	t.Helper()
	c := exec.Command(command[0], command[1:]...)
	c.Dir = dir
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%q: %v", command, err)
	}
	return strings.TrimSpace(string(out))
}

// A release, a checkout before it, and a checkout with changes differ in their version.
func TestVersion(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GIT_CONFIG_GLOBAL", "/dev/null")
	t.Setenv("SOURCE_DATE_EPOCH", "")
	for _, name := range []string{"AUTHOR", "COMMITTER"} {
		t.Setenv("GIT_"+name+"_NAME", "nobody")
		t.Setenv("GIT_"+name+"_EMAIL", "nobody@example.com")
		t.Setenv("GIT_"+name+"_DATE", "2026-02-28T23:59:00-0200")
	}
	script, err := os.ReadFile(repository + "/packaging/version")
	if err != nil {
		t.Fatal(err)
	}
	file := dir + "/packaging/version"
	for name, text := range map[string]string{file: string(script), dir + "/VERSION": "1.2.3\n"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	want := func(what, pattern string) {
		t.Helper()
		if got := run(t, dir, file); !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
			t.Errorf("the version of %s is %q, want %s", what, got, pattern)
		}
	}
	want("an archive", `1\.2\.3`)
	run(t, dir, "git", "init", "-q")
	run(t, dir, "git", "add", ".")
	run(t, dir, "git", "commit", "-q", "-m", "x")
	want("a checkout", `1\.2\.3~git202603010159\.[0-9a-f]+`)
	if got := run(t, dir, file, "date"); got != "2026-03-01" {
		t.Errorf("the date is %q", got)
	}
	run(t, dir, "git", "tag", "v1.2.3")
	want("a release", `1\.2\.3`)
	if err := os.WriteFile(dir+"/VERSION", []byte("1.2.4\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	want("a checkout with changes", `1\.2\.4~git202603010159\.[0-9a-f]+\.changed`)
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	if got := run(t, dir, file, "date"); got != "2023-11-14" {
		t.Errorf("the date by SOURCE_DATE_EPOCH is %q", got)
	}
}

// What make install puts into place, make uninstall removes; each directory can be chosen; manual pages have a date.
func TestInstall(t *testing.T) {
	if _, err := os.Stat(repository + "/bin/virt-sandbox-service"); err != nil {
		t.Skip("the programs are not built: make build")
	}
	root := t.TempDir()
	environment := []string{"DESTDIR=" + root, "MAN_DATE=2026-12-31"}
	dirs := []string{
		"BINDIR", "LIBEXECDIR", "UNITDIR", "PRESETDIR", "GENERATORDIR", "SYSCTLDIR", "SYSUSERSDIR", "TMPFILESDIR", "HOOKDIR",
		"ANSIBLEDIR", "PERLDIR", "MANDIR", "BASHDIR", "ZSHDIR", "FISHDIR",
	}
	for _, dir := range dirs {
		environment = append(environment, dir+"=/"+strings.ToLower(dir)+"/here")
	}
	script := append([]string{"env"}, environment...)
	script = append(script, repository+"/packaging/install")
	run(t, ".", append(slices.Clone(script), "install")...)
	for _, name := range []string{
		"bindir/here/virt-sandbox-service", "bindir/here/virt-sandbox-service-generator",
		"libexecdir/here/virt-sandbox-init",
		"unitdir/here/virt-sandbox-logrotate.timer", "presetdir/here/50-virt-sandbox.preset",
		"generatordir/here/virt-sandbox-service-generator", "sysctldir/here/50-virt-sandbox.conf", "hookdir/here/apt.conf",
		"sysusersdir/here/virt-sandbox.conf", "tmpfilesdir/here/virt-sandbox.conf", "ansibledir/here/virt_sandbox.py",
		"mandir/here/man5/virt-sandbox.config.5", "perldir/here/NeedRestart/CONT/virtsandbox.pm",
		"bashdir/here/virt-sandbox", "zshdir/here/_virt-sandbox-service", "fishdir/here/virt-sandbox.fish",
		"etc/libvirt-sandbox/services",
	} {
		if info, err := os.Stat(filepath.Join(root, name)); err != nil || info.Mode().IsRegular() && info.Size() == 0 {
			t.Errorf("%s is not installed: %v", name, err)
		}
	}
	pages, err := filepath.Glob(root + "/mandir/here/man*/*")
	if err != nil || len(pages) < 25 {
		t.Errorf("%d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil || !strings.HasPrefix(string(text), ".so ") && !strings.Contains(string(text), ` "2026-12-31" `) {
			t.Errorf("%s has no date, %v", page, err)
		}
	}
	for _, name := range []string{"logrotate", "auto-restart"} {
		unit, err := os.ReadFile(root + "/unitdir/here/virt-sandbox-" + name + ".service")
		if err != nil || !strings.Contains(string(unit), "\nExecStart=/bindir/here/virt-sandbox-service ") {
			t.Errorf("%s, %v", unit, err)
		}
	}
	run(t, ".", append(slices.Clone(script), "uninstall")...)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && (!d.IsDir() || strings.HasPrefix(path, root+"/etc/")) {
			t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
