// SPDX-License-Identifier: Apache-2.0

// Package house holds the structure of the tree against its rules: how large a room may be, who may import whom, how
// wide a type may be. In: the tree, as the go command lists it. It needs no root and no libvirtd.
package house

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/virt-sandbox/virt-sandbox/"

// Bounds of a room, without its tests. Programs below cmd/ are not rooms.
const (
	maxLines        = 2500
	maxFiles        = 25
	maxShare        = 20 // percent of all production lines that the largest room may have
	maxExceptions   = 2
	maxMethods      = 30 // exported ones of one type
	maxFunctionSize = 120
)

// tooLarge lists the rooms that may be larger than the bounds, with the reason.
var tooLarge = map[string]string{}

// room is a package of the tree.
type room struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	CgoFiles   []string
	Imports    []string
	lines      int
}

// name is the path below the module.
func (r room) name() string { return strings.TrimPrefix(r.ImportPath, module) }

func (r room) files() []string {
	var files []string
	for _, f := range append(r.GoFiles, r.CgoFiles...) {
		files = append(files, filepath.Join(r.Dir, f))
	}
	return files
}

// rooms lists the packages of the tree, without those that only tests use.
func rooms(t *testing.T) []room {
	t.Helper()
	command := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,CgoFiles,Imports", "./...")
	command.Dir, command.Stderr = "../..", os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []room
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var r room
		if err := decoder.Decode(&r); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(r.name(), "test/") || strings.Contains(r.name(), "testdata") {
			continue
		}
		for _, file := range r.files() {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r.lines += strings.Count(string(text), "\n")
		}
		list = append(list, r)
	}
}

// No room is so large that nobody can hold it in their head.
func TestRoomsAreSmall(t *testing.T) {
	total, largest := 0, room{}
	for _, r := range rooms(t) {
		total += r.lines
		if strings.HasPrefix(r.name(), "cmd/") {
			continue
		}
		if r.lines > largest.lines {
			largest = r
		}
		reason, excepted := tooLarge[r.name()]
		over := r.lines > maxLines || len(r.files()) > maxFiles
		switch {
		case over && !excepted:
			t.Errorf("%s has %d lines in %d files; the bounds are %d and %d", r.name(), r.lines, len(r.files()), maxLines,
				maxFiles)
		case over:
			t.Logf("%s has %d lines in %d files: %s", r.name(), r.lines, len(r.files()), reason)
		case excepted:
			t.Errorf("%s is small enough now; strike it from the exceptions", r.name())
		}
	}
	if len(tooLarge) > maxExceptions {
		t.Errorf("%d exceptions; %d are allowed", len(tooLarge), maxExceptions)
	}
	if largest.lines*100 > total*maxShare {
		t.Errorf("%s has %d of %d lines, more than %d %%", largest.name(), largest.lines, total, maxShare)
	}
	t.Logf("%d lines; the largest room is %s with %d", total, largest.name(), largest.lines)
}

// No type offers so much that it is the whole house again, and no function is longer than a person reads in one go.
func TestTypesAndFunctionsAreSmall(t *testing.T) {
	set := token.NewFileSet()
	for _, r := range rooms(t) {
		methods := make(map[string]int)
		for _, file := range r.files() {
			parsed, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, declaration := range parsed.Decls {
				f, isFunction := declaration.(*ast.FuncDecl)
				if !isFunction {
					continue
				}
				if size := set.Position(f.End()).Line - set.Position(f.Pos()).Line; size > maxFunctionSize {
					t.Errorf("%s: %s has %d lines", set.Position(f.Pos()), f.Name.Name, size)
				}
				if f.Recv != nil && f.Name.IsExported() {
					methods[receiver(f.Recv.List[0].Type)]++
				}
			}
		}
		for name, n := range methods {
			if n > maxMethods {
				t.Errorf("%s.%s has %d exported methods; the bound is %d", r.name(), name, n, maxMethods)
			}
		}
	}
}

func receiver(expression ast.Expr) string {
	switch e := expression.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}
