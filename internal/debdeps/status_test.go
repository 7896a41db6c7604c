// SPDX-License-Identifier: Apache-2.0

package debdeps

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParseStatus(t *testing.T) {
	const installed = "Status: install ok installed\n"
	tests := []struct {
		name, status string
		want         map[string]record
	}{
		{"empty", "", map[string]record{}},
		{"a package", "Package: a\n" + installed + "Architecture: amd64\nVersion: 1:2-3\n", map[string]record{
			"a": {name: "a", version: "1:2-3", source: "a", arch: "amd64"},
		}},
		{"a source", "Package: a\n" + installed + "Source: b (1.0)\n", map[string]record{"a": {name: "a", source: "b"}}},
		{
			"what it depends on",
			"Package: a\n" + installed + "Pre-Depends: init-system-helpers (>= 1.54~)\n" +
				"Depends: a-config (>= 4.94) | a-config-2,b:any|c,\t d (= 1)\n",
			map[string]record{"a": {name: "a", source: "a", depends: []string{"init-system-helpers", "a-config", "a-config-2",
				"b", "c", "d"}}},
		},
		{
			"one for several architectures",
			"Package: a\n" + installed + "Architecture: i386\nMulti-Arch: same\n",
			map[string]record{
				"a:i386": {name: "a", source: "a", arch: "i386"},
			},
		},
		{
			"one for a foreign architecture",
			"Package: a\n" + installed + "Architecture: i386\nMulti-Arch: foreign\n",
			map[string]record{
				"a": {name: "a", source: "a", arch: "i386"},
			},
		},
		{"not configured, and not in place", "Package: a\nStatus: install reinstreq half-configured\n\nPackage: b\nStatus: " +
			"install ok unpacked\n\nPackage: c\nStatus: install reinstreq half-installed\n\nPackage: d\nStatus: installed\n",
			map[string]record{
				"a": {name: "a", source: "a"}, "b": {name: "b", source: "b", unfinished: "unpacked"},
				"c": {name: "c", source: "c", unfinished: "half-installed"}, "d": {name: "d", source: "d"},
			}},
		{"held, and waiting for triggers", "Package: a\nStatus: hold ok installed\n\nPackage: b\nStatus: install ok " +
			"triggers-pending\n\nPackage: c\nStatus: install ok triggers-awaited\n", map[string]record{
			"a": {name: "a", source: "a"}, "b": {name: "b", source: "b"}, "c": {name: "c", source: "c"},
		}},
		{"removed, and never installed", "Package: a\nStatus: deinstall ok config-files\n\nPackage: b\nStatus: unknown ok " +
			"not-installed\n\nPackage: c\n", map[string]record{}},
		{"configuration files", "Package: a\n" + installed + "Conffiles:\n /etc/a 1\n /etc/b c 2 obsolete\n /etc/d " +
			"newconffile remove-on-upgrade\nDescription: a\n /etc/e 4\n", map[string]record{
			"a": {
				name:      "a",
				source:    "a",
				conffiles: map[string]string{"/etc/a": "1", "/etc/b c": "2"},
				obsolete:  []string{"/etc/b c"},
			},
		}},
		{"no name", installed + "Multi-Arch: same\nArchitecture: all\n", map[string]record{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := make(map[string]record)
			for key, r := range parseStatus([]byte(test.status)) {
				if len(r.conffiles) == 0 {
					r.conffiles = nil
				}
				got[key] = *r
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestHostileStatus has a list outside the database that a name would reach if it were taken as a path.
func TestHostileStatus(t *testing.T) {
	tests := []struct{ name, status, outside string }{
		{"in the name", "Package: ../../outside\n", "outside"},
		{"in the name, of one architecture", "Package: ../../outside\nMulti-Arch: same\nArchitecture: all\n", "outside:all"},
		{"in the architecture", "Package: a\nMulti-Arch: same\nArchitecture: /../../../outside\n", "outside"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			top := t.TempDir()
			dir := filepath.Join(top, "dpkg")
			write(
				t,
				filepath.Join(dir, "status"),
				file{text: test.status + "Status: install ok installed\nVersion: 1\n", mode: 0o644},
			)
			write(t, filepath.Join(top, test.outside+".list"), file{text: "/etc/passwd\n", mode: 0o644})
			if err := os.MkdirAll(filepath.Join(dir, "info"), 0o755); err != nil {
				t.Fatal(err)
			}
			db, err := Open(dir, "/")
			if err != nil {
				t.Fatal(err)
			}
			owners, err := db.Owners(context.Background(), "/etc/passwd")
			if err != nil || len(owners) > 0 {
				t.Errorf("got owners %v, %v, want none", owners, err)
			}
			tally, err := db.Tally(context.Background(), "/etc")
			if err != nil || len(tally["/etc"]) > 0 {
				t.Errorf("got tally %v, %v, want none", tally, err)
			}
			for _, name := range []string{"../../outside", "a"} {
				if pkg, err := db.Package(context.Background(), name); err == nil {
					t.Errorf("got %+v, want no package", pkg)
				}
			}
		})
	}
}

// FuzzParseStatus looks for status files that end the program or reach out of the database.
func FuzzParseStatus(f *testing.F) {
	f.Add([]byte("Package: a\nStatus: install ok installed\nMulti-Arch: same\nArchitecture: i386\nSource: b (1)\n" +
		"Conffiles:\n /etc/a b 1 obsolete\n\nPackage: c\nStatus: hold ok installed\n"))
	f.Add([]byte("Package: ../a\nStatus: install ok installed\n"))
	f.Add([]byte("\n\n \n:\n: installed"))
	f.Fuzz(func(t *testing.T, data []byte) {
		db := &DB{dir: "/dpkg", packages: parseStatus(data)}
		for key, r := range db.packages {
			if r.name == "" || r.source == "" || !strings.HasPrefix(key, r.name) {
				t.Errorf("package %q: %+v", key, r)
			}
			if file := db.info(key, "list"); filepath.Dir(file) != "/dpkg/info" || strings.ContainsRune(file, 0) {
				t.Errorf("package %q has its list in %q", key, file)
			}
		}
	})
}

// TestUpdates: what dpkg has not put into the status file yet counts.
func TestUpdates(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "updates"), 0o755); err != nil {
		t.Fatal(err)
	}
	const installed = "Status: install ok installed\n"
	for file, text := range map[string]string{
		"status": "Package: a\n" + installed + "Version: 1\n\nPackage: b\n" + installed + "Version: 1\n\nPackage: " +
			"c\n" + installed + "Version: 1\n",
		"updates/0000":  "Package: a\nStatus: install ok unpacked\nVersion: 2\n",
		"updates/0001":  "Package: b\nStatus: install ok unpacked\nVersion: 2\n",
		"updates/0002":  "Package: a\n" + installed + "Version: 2\nConffiles:\n /etc/a 2\n",
		"updates/tmp.i": "Package: c\n" + installed + "Version: 3\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	db, err := Open(dir, "/")
	if err != nil {
		t.Fatal(err)
	}
	if a := db.packages["a"]; a == nil || a.version != "2" || a.conffiles["/etc/a"] != "2" {
		t.Errorf("a: %+v", a)
	}
	if b := db.packages["b"]; b == nil || b.unfinished != "unpacked" || db.packages["c"] == nil ||
		db.packages["c"].version != "1" {
		t.Errorf("b: %+v, c: %+v", db.packages["b"], db.packages["c"])
	}
}
