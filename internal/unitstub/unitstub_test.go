// SPDX-License-Identifier: Apache-2.0

package unitstub

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// files returns the stubs of an empty host, and a sandbox of two units.
func files(t *testing.T) (Files, *config.Sandbox) {
	t.Helper()
	s := config.New("web")
	s.Units = []string{"httpd.service", "php-fpm.service"}
	return Files{Root: t.TempDir(), Store: config.Store{Dir: config.DefaultDir}}, s
}

// put writes a file below a directory; a text that begins with -> makes a link.
func put(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	err := error(nil)
	if target, found := strings.CutPrefix(text, "-> "); found {
		err = os.Symlink(target, file)
	} else {
		err = os.WriteFile(file, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// listed lists all that is below a directory, without the directories.
func listed(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			found = append(found, strings.TrimPrefix(p, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

const (
	unit      = "httpd@web.service"
	ownFull   = "[Unit]\nSourcePath=/etc/libvirt-sandbox/services/web.sandbox\n[Service]\nExecStart=/bin/true\n"
	ownStub   = "[Unit]\nSourcePath=/etc/libvirt-sandbox/services/web.sandbox\n[Install]\nAlso=x.service\n"
	otherStub = "[Unit]\nSourcePath=/etc/libvirt-sandbox/services/other.sandbox\n"
	foreign   = "[Service]\nExecStart=/bin/true\n"
)

// TestWrite: a stub goes where nothing of the administrator's is; nothing else is left beside it.
func TestWrite(t *testing.T) {
	for _, test := range []struct {
		name, there string
		state       State
		refused     bool
	}{
		{"nothing there", "", Missing, false},
		{"an edited stub", ownStub, Own, false},
		{"a full unit of the config", ownFull, Own, true},
		{"a stub of another config", otherStub, Foreign, true},
		{"an administrator's unit", foreign, Foreign, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := files(t)
			if test.there != "" {
				put(t, f.Dir(), unit, test.there)
			}
			if state, err := f.Inspect(s); state != test.state || err != nil {
				t.Errorf("Inspect: %v, %v; want %v", state, err, test.state)
			}
			err := f.Write(s)
			if refused := err != nil; refused != test.refused {
				t.Fatalf("Write: %v", err)
			}
			want := string(units.Stub(s, units.Paths{Config: f.Store.Path("web")}))
			if test.refused {
				want = test.there
				if !strings.Contains(err.Error(), f.Path(s)+" exists and is not of virt-sandbox") {
					t.Errorf("Write: %v", err)
				}
			}
			if got, err := os.ReadFile(f.Path(s)); string(got) != want || err != nil {
				t.Errorf("the unit file is %q, %v; want %q", got, err, want)
			}
			if got := listed(t, f.Dir()); !slices.Equal(got, []string{unit}) {
				t.Errorf("there are %q", got)
			}
		})
	}
}

// TestRenew: a unit of the config stays as it is, a stub for another first unit goes.
func TestRenew(t *testing.T) {
	for _, there := range []string{ownStub, ownFull} {
		f, s := files(t)
		put(t, f.Dir(), unit, there)
		if err := f.Renew(s); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(f.Path(s)); string(got) != there || err != nil {
			t.Errorf("the unit file is %q, %v; want %q", got, err, there)
		}
	}
	f, s := files(t)
	put(t, f.Dir(), "nginx@web.service", ownStub)
	put(t, f.Dir(), "multi-user.target.wants/nginx@web.service", "-> ../nginx@web.service")
	strays, err := f.Strays(s)
	if err != nil || !slices.Equal(strays, []string{filepath.Join(f.Dir(), "nginx@web.service")}) {
		t.Errorf("Strays: %q, %v", strays, err)
	}
	if err := f.Renew(s); err != nil {
		t.Fatal(err)
	}
	if got := listed(t, f.Dir()); !slices.Equal(got, []string{unit}) {
		t.Errorf("there are %q", got)
	}
	put(t, f.Dir(), "nginx@web.service", ownStub)
	if err := os.WriteFile(f.Path(s), []byte(foreign), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := f.Renew(s); err == nil {
		t.Error("an administrator's unit is replaced")
	}
	if got := listed(t, f.Dir()); !slices.Equal(got, []string{unit, "nginx@web.service"}) {
		t.Errorf("after a refusal there are %q", got)
	}
}

// TestEnable makes the link of systemctl enable, again without an error, and Disable removes it with its directory.
func TestEnable(t *testing.T) {
	f, s := files(t)
	for range 2 {
		if err := f.Enable(s); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(f.Dir(), "multi-user.target.wants", unit)
	if target, err := os.Readlink(link); target != "/etc/systemd/system/"+unit || err != nil {
		t.Errorf("the link leads to %q, %v", target, err)
	}
	for range 2 {
		if err := f.Disable(unit); err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := os.ReadDir(f.Dir()); len(entries) != 0 || err != nil {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestRemove: all of the sandbox's stubs go and nothing of anybody else.
func TestRemove(t *testing.T) {
	f, _ := files(t)
	if err := f.Remove("web"); err != nil {
		t.Fatalf("without a directory of units: %v", err)
	}
	for name, text := range map[string]string{
		unit: ownStub, unit + ".d/override.conf": "[Unit]\n", "nginx@web.service": ownStub,
		"multi-user.target.wants/" + unit: "-> ../" + unit, "x.service.requires/" + unit: "-> ../" + unit,
		"." + unit + "123": "", // of a killed write
		// What stays:
		"full@web.service": ownFull, "other@web.service": otherStub, "httpd@web2.service": ownStub,
		"multi-user.target.wants/full@web.service": "-> ../full@web.service",
		"." + unit + ".swp":                        "", "." + unit: "", unit + "1": "",
	} {
		put(t, f.Dir(), name, text)
	}
	for range 2 {
		if err := f.Remove("web"); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"." + unit, "." + unit + ".swp", "full@web.service", "httpd@web.service1", "httpd@web2.service",
		"multi-user.target.wants/full@web.service", "other@web.service",
	}
	if got := listed(t, f.Dir()); !slices.Equal(got, want) {
		t.Errorf("there are\n%q, want\n%q", got, want)
	}
}

// TestRemoveDropIns: drop-ins go in both directories, but not those of an administrator's unit.
func TestRemoveDropIns(t *testing.T) {
	for _, test := range []struct {
		name, there string
		want        []string
	}{
		{"no unit", "", []string{"system.control/" + "x@web.service.d/a.conf"}},
		{"a unit of the name", foreign, []string{
			"system/" + unit, "system/" + unit + ".d/override.conf",
			"system.control/" + unit + ".d/50-MemoryMax.conf", "system.control/x@web.service.d/a.conf",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := files(t)
			control := f.Root + units.ControlDir
			put(t, f.Dir(), unit+".d/override.conf", "")
			put(t, control, unit+".d/50-MemoryMax.conf", "")
			put(t, control, "x@web.service.d/a.conf", "")
			if test.there != "" {
				put(t, f.Dir(), unit, test.there)
			}
			if err := f.RemoveDropIns(s); err != nil {
				t.Fatal(err)
			}
			if got := listed(t, filepath.Dir(f.Dir())); !slices.Equal(got, test.want) {
				t.Errorf("there are %q, want %q", got, test.want)
			}
		})
	}
}
