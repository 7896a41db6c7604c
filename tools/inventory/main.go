// SPDX-License-Identifier: Apache-2.0

// Command inventory says of which modules programs are made, as the Go linker wrote it into them, with the licences
// that the file packaging/licences has:
//
//	inventory sbom VERSION LICENCES PROGRAM...
//	inventory copyright VENDOR LICENCES PROGRAM...
//
// sbom prints a bill of materials (CycloneDX 1.5, JSON); copyright prints what Debian's debian/copyright says of the
// modules below the directory VENDOR. It fails for a module without a licence, and for one that is in the file and in
// no program.
package main

import (
	"bufio"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) < 5 || os.Args[1] != "sbom" && os.Args[1] != "copyright" {
		fmt.Fprintln(os.Stderr, "usage: inventory sbom VERSION LICENCES PROGRAM... | copyright VENDOR LICENCES PROGRAM...")
		os.Exit(2)
	}
	out := bufio.NewWriter(os.Stdout)
	modules, err := readModules(os.Args[3], os.Args[4:])
	switch {
	case err != nil:
	case os.Args[1] == "sbom":
		err = writeSBOM(out, os.Args[2], modules)
	default:
		err = writeCopyright(out, os.Args[2], modules)
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "inventory: %v\n", err)
		os.Exit(1)
	}
}

// module is one that is linked. The standard library is called std.
type module struct{ path, version, licence string }

// readModules returns the modules of all programs in the order of their paths.
func readModules(licenceFile string, programs []string) ([]module, error) {
	data, err := os.ReadFile(licenceFile)
	if err != nil {
		return nil, fmt.Errorf("read the licences: %w", err)
	}
	licences := map[string]string{"std": "BSD-3-Clause"}
	for line := range strings.Lines(string(data)) {
		if path, licence, found := strings.Cut(strings.TrimSpace(line), " "); found && path != "#" {
			licences[path] = strings.TrimSpace(licence)
		}
	}
	linked := make(map[string]module)
	for _, program := range programs {
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return nil, fmt.Errorf("read of which modules a program is: %w", err)
		}
		linked["std"] = module{"std", strings.TrimPrefix(info.GoVersion, "go"), licences["std"]}
		for _, m := range info.Deps {
			if licences[m.Path] == "" {
				return nil, fmt.Errorf("%s does not have the licence of %s, which %s is linked with", licenceFile, m.Path, program)
			}
			linked[m.Path] = module{m.Path, m.Version, licences[m.Path]}
		}
	}
	var modules []module
	for path := range licences {
		if linked[path].path == "" {
			return nil, fmt.Errorf("%s has %s, which no program is linked with", licenceFile, path)
		}
		modules = append(modules, linked[path])
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return modules, nil
}

// writeSBOM has no time and no serial number in it, so that the same build prints the same.
func writeSBOM(w io.Writer, version string, modules []module) error {
	type expression struct {
		Expression string `json:"expression"`
	}
	type component struct {
		Type     string       `json:"type"`
		Name     string       `json:"name"`
		Version  string       `json:"version"`
		PURL     string       `json:"purl"`
		Licences []expression `json:"licenses"`
	}
	const self = "github.com/virt-sandbox/virt-sandbox"
	type metadata struct {
		Component component `json:"component"`
	}
	bill := struct {
		Format      string      `json:"bomFormat"`
		SpecVersion string      `json:"specVersion"`
		Version     int         `json:"version"`
		Metadata    metadata    `json:"metadata"`
		Components  []component `json:"components"`
	}{
		Format: "CycloneDX", SpecVersion: "1.5", Version: 1,
		Metadata: metadata{component{
			"application", "virt-sandbox", version, "pkg:golang/" + self + "@" + version,
			[]expression{{"Apache-2.0"}},
		}},
	}
	for _, m := range modules {
		bill.Components = append(bill.Components, component{
			"library", m.path, m.version, "pkg:golang/" + m.path + "@" + m.version, []expression{{m.licence}},
		})
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(bill)
}

// debian has the words of debian/copyright for licences that SPDX calls otherwise.
var debian = strings.NewReplacer("MIT", "Expat", "blessing", "public-domain", " AND ", " and ")

// writeCopyright prints a paragraph for each module that vendor has, and the texts of their licence files behind it.
func writeCopyright(w io.Writer, vendor string, modules []module) error {
	for _, m := range modules {
		if m.path == "std" {
			continue // It is Debian's.
		}
		files, err := licenceFiles(filepath.Join(vendor, m.path))
		if err != nil {
			return err
		}
		var text strings.Builder
		var holders []string
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				return fmt.Errorf("read a licence: %w", err)
			}
			for line := range strings.Lines(string(data)) {
				line = strings.TrimSpace(line)
				low := strings.ToLower(line)
				if strings.HasPrefix(low, "copyright (c)") || strings.HasPrefix(low, "copyright 2") {
					holders = append(holders, line)
				}
			}
			if !strings.Contains(string(data), "Apache License") {
				text.Write(data)
			}
		}
		if len(holders) == 0 {
			holders = []string{"the authors of " + m.path}
		}
		slices.Sort(holders)
		name := debian.Replace(m.licence)
		fmt.Fprintf(w, "\nFiles: vendor/%s/*\nCopyright: %s\nLicense: %s\n", m.path,
			strings.Join(slices.Compact(holders), "\n           "), name)
		if strings.Contains(m.licence, "Apache-2.0") {
			fmt.Fprint(w, " The Apache License 2.0 is in /usr/share/common-licenses/Apache-2.0.\n")
		}
		for line := range strings.Lines(text.String()) {
			if line = strings.TrimRight(line, " \t\r\n"); line == "" {
				line = "."
			}
			fmt.Fprintf(w, " %s\n", line)
		}
	}
	return nil
}

// licenceFiles returns the files below a module's directory that have its licence.
func licenceFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look for a licence: %w", err)
	}
	var files []string
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if e.Type().IsRegular() && (strings.HasPrefix(name, "LICENSE") || strings.HasPrefix(name, "COPYING")) {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no file of a licence", dir)
	}
	return files, nil
}
