// SPDX-License-Identifier: Apache-2.0

package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// Each test that needs a rig says first on which ones it runs: one that does not would run on all of them.
func TestEachTestNamesItsRigs(t *testing.T) {
	for _, dir := range []string{"integration", "scale", "bench", "policy", "attack"} {
		files, err := filepath.Glob("../" + dir + "/*_test.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %q, %v", dir, files, err)
		}
		for _, file := range files {
			set := token.NewFileSet()
			syntax, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, declaration := range syntax.Decls {
				function, ok := declaration.(*ast.FuncDecl)
				if !ok || !strings.HasPrefix(function.Name.Name, "Test") || function.Name.Name == "TestMain" {
					continue
				}
				if !namesRigs(function.Body.List) {
					t.Errorf("%v: %s does not begin with rig.On", set.Position(function.Pos()), function.Name.Name)
				}
			}
		}
	}
}

// namesRigs reports whether the first statement calls rig.On.
func namesRigs(body []ast.Stmt) bool {
	if len(body) == 0 {
		return false
	}
	statement, ok := body[0].(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := statement.X.(*ast.CallExpr)
	if !ok {
		return false
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != "On" {
		return false
	}
	name, ok := selector.X.(*ast.Ident)
	return ok && name.Name == "rig"
}
