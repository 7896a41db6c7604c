// SPDX-License-Identifier: Apache-2.0

package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestOneBootPlan: what libvirt and virt-sandbox-init are told of a container is put together in one package. Two
// drivers of a start that do so apart drift apart.
func TestOneBootPlan(t *testing.T) {
	err := filepath.WalkDir("../..", func(file string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (e.Name() == "testdata" || e.Name() == ".git" || file == "../../internal/boot"):
			return fs.SkipDir
		case !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if of, ok := literal.Type.(*ast.SelectorExpr); ok {
				from, _ := of.X.(*ast.Ident)
				if from == nil {
					return true
				}
				if name := from.Name + "." + of.Sel.Name; name == "domain.Host" || name == "guest.Plan" {
					t.Errorf("%s makes a %s; let internal/boot do so", file, name)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
