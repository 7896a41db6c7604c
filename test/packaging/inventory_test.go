// SPDX-License-Identifier: Apache-2.0

package packaging

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// words are what the text of a licence has that no other of the list has.
var words = map[string]string{
	"0BSD":         "Permission to use, copy, modify, and/or distribute this software for any",
	"Apache-2.0":   "Apache License",
	"BSD-2-Clause": "Redistributions in binary form must reproduce the above",
	"BSD-3-Clause": "Neither the name",
	"MIT":          "Permission is hereby granted, free of charge",
	"MPL-2.0":      "Mozilla Public License Version 2.0",
	"blessing":     "has been dedicated to the public domain by the authors",
}

// Each module that the programs are linked with has its licence in packaging/licences, and its files say the same. All
// are licences that a program under the Apache License may be linked with.
func TestLicences(t *testing.T) {
	const format = "{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}"
	out := run(t, repository, "go", "list", "-deps", "-f", format, "./cmd/...")
	dirs := make(map[string]string)
	for line := range strings.Lines(out) {
		if path, dir, found := strings.Cut(strings.TrimSpace(line), " "); found {
			dirs[path] = dir
		}
	}
	data, err := os.ReadFile(repository + "/packaging/licences")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		path, expression, found := strings.Cut(strings.TrimSpace(line), " ")
		if !found || path == "#" {
			continue
		}
		dir := dirs[path]
		if dir == "" {
			t.Errorf("%s is in packaging/licences, and no program is linked with it", path)
			continue
		}
		delete(dirs, path)
		text := licenceText(t, dir)
		for licence := range strings.SplitSeq(strings.TrimSpace(expression), " AND ") {
			if want := words[licence]; want == "" || !strings.Contains(text, strings.Join(strings.Fields(want), " ")) {
				t.Errorf("the files of %s do not say that it is under %s", path, licence)
			}
		}
	}
	for path := range dirs {
		t.Errorf("packaging/licences does not have the licence of %s", path)
	}
}

// licenceText is all that a module's files say of its licence, with single spaces.
func licenceText(t *testing.T, dir string) string {
	t.Helper()
	var text strings.Builder
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if !strings.HasPrefix(name, "LICENSE") && !strings.HasPrefix(name, "COPYING") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		text.Write(data)
	}
	return strings.Join(strings.Fields(text.String()), " ")
}

// The bill of materials is JSON that names all modules, and is not made where a licence is missing.
func TestBillOfMaterials(t *testing.T) {
	programs, err := filepath.Glob(repository + "/bin/virt-sandbox*")
	if err != nil || len(programs) < 7 {
		t.Skip("the programs are not built: make build")
	}
	inventory := filepath.Join(t.TempDir(), "inventory")
	run(t, repository+"/tools", "go", "build", "-o", inventory, "./inventory")
	arguments := append([]string{"sbom", "1.2.3", repository + "/packaging/licences"}, programs...)
	out, err := exec.Command(inventory, arguments...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var bill struct {
		Components []struct {
			Name, Version, PURL string
			Licenses            []struct{ Expression string }
		}
	}
	if err := json.Unmarshal(out, &bill); err != nil {
		t.Fatal(err)
	}
	for _, c := range bill.Components {
		if c.Version == "" || c.PURL != "pkg:golang/"+c.Name+"@"+c.Version || len(c.Licenses) != 1 {
			t.Errorf("a component is %+v", c)
		}
	}
	if len(bill.Components) < 30 {
		t.Errorf("it has %d components", len(bill.Components))
	}
	arguments[2] = filepath.Join(t.TempDir(), "licences")
	if err := os.WriteFile(arguments[2], nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(inventory, arguments...).CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "does not have the licence of") {
		t.Errorf("without licences: %v, %s", err, out)
	}
}
