// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func web() *Sandbox {
	s := New("web")
	s.Units = []string{"httpd.service"}
	return s
}

func TestSaveThenLoad(t *testing.T) {
	store := Store{Dir: filepath.Join(t.TempDir(), "not/yet/there")}
	if err := store.Save(web()); err != nil {
		t.Fatal(err)
	}
	got, err := store.Load("web")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, web()) {
		t.Errorf("loaded\n%+v\nsaved\n%+v", got, web())
	}
}

func TestSaveKeepsComments(t *testing.T) {
	store := Store{Dir: t.TempDir()}
	before := "# mine\n[sandbox]\nname=web\n# sic\nformat=1\nunit=httpd.service\n\n[network]\nmode=private # no\n"
	write(t, store.Path("web"), strings.Replace(before, " # no", "", 1))
	s, err := store.Load("web")
	if err != nil {
		t.Fatal(err)
	}
	s.Network, s.State = NetworkHost, StateDeleting
	if err := store.Save(s); err != nil {
		t.Fatal(err)
	}
	got := read(t, store.Path("web"))
	for _, want := range []string{
		"# mine\n[sandbox]\nname=web\n# sic\nformat=2\nunit=httpd.service\nstate=deleting\n",
		"\n[network]\nmode=host\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwithout\n%s", got, want)
		}
	}
	if strings.Contains(got, "private") {
		t.Errorf("the old mode is still there:\n%s", got)
	}
}

func TestSaveOverWhatCannotBeRead(t *testing.T) {
	for name, old := range map[string]string{
		"no config at all": "\x00\x01",
		"unknown section":  "[of tomorrow]\nkey=value\n",
		"unknown key":      "[sandbox]\nkey=value\n",
	} {
		t.Run(name, func(t *testing.T) {
			store := Store{Dir: t.TempDir()}
			write(t, store.Path("web"), old)
			if err := store.Save(web()); err != nil {
				t.Fatal(err)
			}
			if got, err := store.Load("web"); err != nil || !reflect.DeepEqual(got, web()) {
				t.Errorf("loaded %+v, %v", got, err)
			}
		})
	}
}

// Everybody may read a config, but for one with an environment: people put passwords there.
func TestSaveIsReadableToAll(t *testing.T) {
	defer unix.Umask(unix.Umask(0o077))
	store := Store{Dir: t.TempDir()}
	for _, secrets := range [][]Variable{nil, nil, {{"PASSWORD", "x"}}} {
		s, want := web(), os.FileMode(0o644)
		if s.Environment = secrets; secrets != nil {
			want = 0o600
		}
		if err := store.Save(s); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(store.Path("web"))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("mode is %v, want %v", info.Mode(), want)
		}
	}
}

// TestFailedSaveLeavesTheOldConfig: nobody ever sees half a config.
func TestFailedSaveLeavesTheOldConfig(t *testing.T) {
	cases := []struct {
		name string
		save func(Store, *Sandbox) error
		want string
	}{
		{"sandbox is not valid", func(store Store, s *Sandbox) error {
			s.Units = []string{"no unit"}
			return store.Save(s)
		}, "refuse to write a config that could not be read again"},
		{"nothing to run", func(store Store, s *Sandbox) error {
			s.Units = nil
			return store.Save(s)
		}, "refuse to write a config that could not be read again"},
		{"directory is not writable", saveLocked, "permission denied"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			store := Store{Dir: t.TempDir()}
			s := web()
			if err := store.Save(s); err != nil {
				t.Fatal(err)
			}
			before := read(t, store.Path("web"))
			s.Autostart = true
			if err := c.save(store, s); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if after := read(t, store.Path("web")); after != before {
				t.Errorf("got\n%s\nwant\n%s", after, before)
			}
			if got, want := filesIn(t, store.Dir), []string{"web.sandbox"}; !reflect.DeepEqual(got, want) {
				t.Errorf("the directory has %q, want %q", got, want)
			}
		})
	}
}

// saveLocked saves to a directory that the calling thread may read and not write, whoever runs the test.
func saveLocked(store Store, s *Sandbox) error {
	const nobody = 65534
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for dir, mode := range map[string]os.FileMode{filepath.Dir(store.Dir): 0o755, store.Dir: 0o555} {
		if err := os.Chmod(dir, mode); err != nil {
			return err
		}
	}
	was, err := unix.SetfsuidRetUid(nobody)
	if err != nil {
		return err
	}
	err = store.Save(s)
	return errors.Join(err, unix.Setfsuid(was), os.Chmod(store.Dir, 0o755))
}

func TestLoadErrors(t *testing.T) {
	store := Store{Dir: t.TempDir()}
	write(t, store.Path("broken"), "nonsense\n")
	if _, err := store.Load("web"); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), store.Path("web")) {
		t.Errorf("absent: got %v, want ErrNotFound and the file", err)
	}
	var syntax *SyntaxError
	if _, err := store.Load("broken"); !errors.As(err, &syntax) || syntax.File != store.Path("broken") ||
		syntax.Line != 1 {
		t.Errorf("broken: got %v, want a *SyntaxError in line 1 of the file", err)
	}
	if _, err := store.Load("../broken"); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("bad name: got %v, want a complaint about the name", err)
	}
}

func TestNamesIgnoresForeignFiles(t *testing.T) {
	store := Store{Dir: t.TempDir()}
	for _, file := range []string{
		"web2.sandbox", "web10.sandbox", "broken.sandbox", // any content will do
		"README", "web.sandbox.rpmsave", "web.sandbox~", ".web.sandbox1234567", ".sandbox", ".hidden.sandbox",
		"a b.sandbox", "a..b.sandbox",
	} {
		write(t, filepath.Join(store.Dir, file), "")
	}
	got, err := store.Names()
	if want := []string{"broken", "web10", "web2"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestNamesWithoutDirectory(t *testing.T) {
	if got, err := (Store{Dir: filepath.Join(t.TempDir(), "absent")}).Names(); err != nil || got != nil {
		t.Errorf("got %q, %v, want nothing", got, err)
	}
}

func TestRemove(t *testing.T) {
	store := Store{Dir: t.TempDir()}
	if err := store.Save(web()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := store.Remove("web"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Load("web"); !errors.Is(err, ErrNotFound) {
		t.Errorf("after Remove: got %v, want ErrNotFound", err)
	}
	if err := (Store{Dir: filepath.Join(store.Dir, "absent")}).Remove("web"); err != nil {
		t.Errorf("from a directory that is not there: %v", err)
	}
}

// TestStaleTemporaryFiles: a save that was killed leaves a file that the next save or removal of the same name clears
// away, and of that name only.
func TestStaleTemporaryFiles(t *testing.T) {
	foreign := []string{
		".web.sandbox", ".web.sandbox12x", ".web.sandbox-1", ".web2.sandbox99", ".web.sandbox1.sandbox99",
		"web.sandbox123", "x.web.sandbox123",
	}
	actions := map[string]func(Store) error{
		"Save":   func(s Store) error { return s.Save(web()) },
		"Remove": func(s Store) error { return s.Remove("web") },
	}
	for name, action := range actions {
		t.Run(name, func(t *testing.T) {
			store := Store{Dir: t.TempDir()}
			for _, file := range append([]string{".web.sandbox1", ".web.sandbox8446744073709551615", "web.sandbox"},
				foreign...) {
				write(t, filepath.Join(store.Dir, file), "")
			}
			if err := os.Mkdir(filepath.Join(store.Dir, ".web.sandbox2"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := action(store); err != nil {
				t.Fatal(err)
			}
			want := map[string]bool{".web.sandbox2": true, "web.sandbox": name == "Save"}
			for _, file := range foreign {
				want[file] = true
			}
			got := map[string]bool{"web.sandbox": false}
			for _, file := range filesIn(t, store.Dir) {
				got[file] = true
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("the directory has %v, want %v", got, want)
			}
		})
	}
}

func TestOpenStoreAsksTheEnvironment(t *testing.T) {
	t.Setenv(DirVariable, "/elsewhere")
	if got := OpenStore().Path("web"); got != "/elsewhere/web.sandbox" {
		t.Errorf("with %s=/elsewhere the config is %s", DirVariable, got)
	}
	t.Setenv(DirVariable, "")
	if got := OpenStore().Path("web"); got != "/etc/libvirt-sandbox/services/web.sandbox" {
		t.Errorf("without %s the config is %s", DirVariable, got)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
