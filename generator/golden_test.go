// SPDX-License-Identifier: Apache-2.0

package generator

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/units"
)

var update = flag.Bool("update", false, "write what the tests got as the new golden files")

const (
	goodConfigs = "../testdata/configs/good"
	golden      = "../testdata/units"
	helper      = "/usr/libexec/virt-sandbox/virt-sandbox-service-helper"
)

// configsIn makes a directory of configs, as the machine has it at its usual place: the text of units tells of it.
func configsIn(t *testing.T, texts map[string]string) config.Store {
	t.Helper()
	store := config.Store{Dir: t.TempDir()}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(store.Dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

// generate runs the generator into its directories and gives what lies there: the path below the directory, with
// early/ or late/ before it, and the text or -> and the target.
func generate(t *testing.T, store config.Store, unitDir string) (files map[string]string, problems []error) {
	t.Helper()
	return generateFor(t, Generator{Store: store, UnitDir: unitDir, Helper: helper})
}

func generateFor(t *testing.T, g Generator) (files map[string]string, problems []error) {
	t.Helper()
	dirs := map[string]string{"": t.TempDir(), "early/": t.TempDir(), "late/": t.TempDir()}
	directories, err := OpenDirectories(dirs[""], dirs["early/"], dirs["late/"])
	if err != nil {
		t.Fatal(err)
	}
	defer directories.Close()
	problems = g.Run(directories)
	files = make(map[string]string)
	for prefix, dir := range dirs {
		err := filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			name := prefix + strings.TrimPrefix(p, dir+"/")
			if target, err := os.Readlink(p); err == nil {
				files[name] = "-> " + target
				return nil
			}
			text, err := os.ReadFile(p)
			files[name] = strings.ReplaceAll(string(text), g.Store.Dir, config.DefaultDir)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files, problems
}

// TestGolden: each good config gives the full unit, and with a stub the drop-in that completes it.
func TestGolden(t *testing.T) {
	examples, err := filepath.Glob(goodConfigs + "/*" + config.Suffix)
	if err != nil || len(examples) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, example := range examples {
		file := filepath.Base(example)
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(example)
			if err != nil {
				t.Fatal(err)
			}
			store := configsIn(t, map[string]string{file: string(text)})
			s, err := store.Load(strings.TrimSuffix(file, config.Suffix))
			if err != nil {
				t.Fatal(err)
			}
			unit := s.HostUnit()
			full, problems := generate(t, store, t.TempDir())
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			stub := units.Stub(s, units.Paths{Config: store.Path(s.Name)})
			unitDir := t.TempDir()
			if err := os.WriteFile(filepath.Join(unitDir, unit), stub, 0o644); err != nil {
				t.Fatal(err)
			}
			completed, problems := generate(t, store, unitDir)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			link := ""
			if s.Autostart {
				link = "-> ../" + unit
			}
			if got := full["multi-user.target.wants/"+unit]; got != link {
				t.Errorf("link of the target %q, want %q", got, link)
			}
			if len(completed) != 1 {
				t.Errorf("with a stub: %v", completed)
			}
			// The generator writes what package units says, of the test's own directory of configs.
			paths := units.Paths{Config: store.Path(s.Name), Helper: helper, ConfigDir: store.Dir}
			ofDir := func(text []byte, dir string) string { return strings.ReplaceAll(string(text), store.Dir, dir) }
			if got, want := full[unit], ofDir(units.Full(s, paths), config.DefaultDir); got != want {
				t.Errorf("the generator wrote\n%s\nwant\n%s", got, want)
			}
			dropIn := completed[unit+".d/50-virt-sandbox.conf"]
			if want := ofDir(units.DropIn(s, paths), config.DefaultDir); dropIn != want {
				t.Errorf("the generator completed with\n%s\nwant\n%s", dropIn, want)
			}
			compare(t, elsewhere+unit, ofDir(units.Full(s, paths), "/srv/sandboxes"))
			compare(t, elsewhere+unit+".drop-in", ofDir(units.DropIn(s, paths), "/srv/sandboxes"))
			// And that of the usual directory.
			usual := units.Paths{Config: config.Store{Dir: config.DefaultDir}.Path(s.Name), Helper: helper}
			compare(t, unit, string(units.Full(s, usual)))
			compare(t, unit+".stub", ofDir(stub, config.DefaultDir))
			compare(t, unit+".drop-in", string(units.DropIn(s, usual)))
		})
	}
}

// elsewhere begins the golden files' names of units whose configs lie in another directory. Of all but one they are so
// like the usual ones that they need no files: those without are not compared.
const elsewhere = "elsewhere/"

func compare(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join(golden, name)
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) && strings.HasPrefix(name, elsewhere) {
		return
	}
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant (%s)\n%s", got, file, want)
	}
}

// TestVerify has systemd itself look at every golden unit, in a root where what they name exists.
func TestVerify(t *testing.T) {
	if testing.Short() {
		t.Skip("make test runs it")
	}
	root := t.TempDir()
	for _, dir := range []string{"etc/systemd/system", "usr/lib/systemd", filepath.Dir(helper)[1:], "usr/bin",
		"usr/share/man/man1", "usr/share/man/man5", "run"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	shell(t, "cp -a /usr/lib/systemd/system "+root+"/usr/lib/systemd/; cp /bin/true "+root+helper+"; cp /bin/true "+root+
		"/usr/bin/logger")
	files, err := filepath.Glob(golden + "/*@*")
	if err != nil || len(files) < 20 {
		t.Fatalf("golden units: %v, %v", files, err)
	}
	for _, file := range files {
		unit := filepath.Base(file)
		if strings.HasSuffix(unit, ".stub") || strings.HasSuffix(unit, ".drop-in") {
			continue
		}
		dir := root + "/etc/systemd/system/"
		shell(t, "rm -rf "+dir+"*; cp "+file+" "+dir)
		verify(t, root, unit)
		shell(t, "cp "+file+".stub "+dir+unit+" && mkdir "+dir+unit+".d && cp "+file+".drop-in "+dir+unit+
			".d/50-virt-sandbox.conf")
		verify(t, root, unit)
	}
	errorUnit := units.ErrorUnit(
		"web",
		`web.sandbox:7: unknown key "a%n$b\`,
		units.Paths{Config: "/etc/libvirt-sandbox/services/web.sandbox", Helper: helper},
	)
	if err := os.WriteFile(root+"/etc/systemd/system/httpd@web.service", errorUnit, 0o644); err != nil {
		t.Fatal(err)
	}
	verify(t, root, "httpd@web.service")
}

func verify(t *testing.T, root, unit string) {
	t.Helper()
	var said bytes.Buffer
	command := exec.Command("systemd-analyze", "--root="+root, "--man=no", "--recursive-errors=no", "verify", unit)
	command.Stdout, command.Stderr = &said, &said
	if err := command.Run(); err != nil || said.Len() > 0 {
		t.Errorf("systemd-analyze verify %s: %v\n%s", unit, err, said.String())
	}
}

func shell(t *testing.T, script string) {
	t.Helper()
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}
