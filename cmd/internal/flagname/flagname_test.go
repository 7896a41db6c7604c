// SPDX-License-Identifier: Apache-2.0

package flagname

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/field"
)

// TestEveryFieldHasAnOption reads the fields that errors can name.
func TestEveryFieldHasAnOption(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../../internal/field/field.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
			name, err := strconv.Unquote(literal.Value)
			if err != nil || Of(field.Name(name)) == name {
				t.Errorf("field %s has no option", name)
			}
			count++
		}
		return true
	})
	if count < 30 {
		t.Errorf("there are %d fields", count)
	}
}

func TestText(t *testing.T) {
	err := fmt.Errorf("clone web1: %w", field.Errorf("%s %s: allow it with %s", field.Level, "s0", field.Share))
	if got := Text(err); got != "clone web1: -l s0: allow it with --share-level" {
		t.Error(got)
	}
	if got := Text(errors.New("plain")); got != "plain" {
		t.Error(got)
	}
	if got := Text(errors.New("no unit a\x1b[31m\u202eb\nand more\r")); got != "no unit a?[31m?b\nand more" {
		t.Errorf("%q", got)
	}
	if got := Sprintf("no unit %s", "a\x1b]0;b\a"); got != "no unit a?]0;b?" {
		t.Errorf("%q", got)
	}
	if got := Sprintf("%s: %v; try %s", "web1", err, field.IDMap); got != "web1: clone web1: -l s0: allow it with "+
		"--share-level; try --idmap" {
		t.Error(got)
	}
}
