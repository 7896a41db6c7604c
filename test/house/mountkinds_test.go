// SPDX-License-Identifier: Apache-2.0

// Package house holds the rules of the tree of sources, as tests.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// mostKindFiles is how many files may name a kind of mount. A further kind may touch no more.
const mostKindFiles = 5

// TestMountKinds: code asks the properties of a mount's kind. Only few files know which kinds there are.
func TestMountKinds(t *testing.T) {
	if kinds := config.MountKinds(); len(kinds) < 4 {
		t.Fatalf("kinds of mounts: %q", kinds)
	}
	constants := kindConstants(t)
	var files []string
	err := filepath.WalkDir("../..", func(file string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (e.Name() == "testdata" || e.Name() == ".git"):
			return fs.SkipDir
		case !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		names, err := namesMountKind(file, string(text), constants)
		if names {
			files = append(files, strings.TrimPrefix(file, "../../"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 || len(files) > mostKindFiles {
		t.Errorf("%d files name kinds of mounts, of at most %d; ask the methods of config.MountKind:\n%s",
			len(files), mostKindFiles, strings.Join(files, "\n"))
	}
}

// kindConstants returns the names of the constants of type config.MountKind.
func kindConstants(t *testing.T) (names []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), "../../config/mountkind.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			if kind, named := spec.Type.(*ast.Ident); named && kind.Name == "MountKind" {
				names = append(names, spec.Names[0].Name)
			}
		}
		return true
	})
	if len(names) != len(config.MountKinds()) {
		t.Fatalf("constants %q are those of kinds %q?", names, config.MountKinds())
	}
	return names
}

// namesMountKind reports whether a file has one of the constants of config.MountKind, or a text that is a kind's.
func namesMountKind(file, text string, constants []string) (found bool, err error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
	if err != nil {
		return false, err
	}
	isKind := func(text string) bool { return slices.Contains(config.MountKinds(), config.MountKind(text)) }
	inConfig := parsed.Name.Name == "config"
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			from, named := n.X.(*ast.Ident)
			found = found || named && from.Name == "config" && slices.Contains(constants, n.Sel.Name)
		case *ast.Ident:
			found = found || inConfig && slices.Contains(constants, n.Name)
		case *ast.BasicLit:
			value, err := strconv.Unquote(n.Value)
			found = found || err == nil && isKind(strings.TrimSuffix(value, ":"))
		}
		return true
	})
	return found, nil
}

// TestNamesMountKind: what the search finds.
func TestNamesMountKind(t *testing.T) {
	constants := kindConstants(t)
	for text, want := range map[string]bool{
		"package a; var x = config.MountRAM":                     true,
		"package config; var x = MountHostBind":                  true,
		"package a; var x = \"host-bind:\"":                      true,
		"package a; var x = `guest-bind`":                        true,
		"package guest; var x = MountRAM":                        false,
		"package a; var x = m.Kind.ShowsMemory() // a host-bind": false,
		"package a; var x = \"-m host-bind:/a=/b\"":              false,
	} {
		if got, err := namesMountKind("a.go", text, constants); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}
