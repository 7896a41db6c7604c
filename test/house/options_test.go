// SPDX-License-Identifier: Apache-2.0

// Package house holds the rules of this repository that no compiler holds: which package may say and import what.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// root is the top of the repository.
const root = "../.."

// option is an option of a command line in a sentence: -N, --share-level.
var option = regexp.MustCompile(`(?:^|[\s("'=])(-[A-Za-z]|--[a-z][a-z-]+)(?:$|[\s)"':;,=%])`)

// argument is a literal that is nothing but one argument, or the beginning of one: what other programs are run with.
var argument = regexp.MustCompile(`^--?[A-Za-z][\w-]*(=\S*)?$`)

// command is a command line of a program that a message advises to run, up to the end of the clause.
var command = regexp.MustCompile(`\b(virsh|chcon|mkdir|sysctl|apparmor_parser|qemu-img|systemctl|` +
	`virt-sandbox-service-generator|dpkg|apt-get install) -[^;,)]*`)

// withOptions are the literals of libraries that have an option all the same, by a part of them, with the reason.
var withOptions = map[string]string{
	"check %s lists all such files, and with --fix": "the command to run is named in full",
	"run check --fix":             "the command to run is named in full",
	"ssh-keygen -A":               "a unit file",
	`"qemu-img convert -O qcow2"`: "the command to run is named in full",
}

// TestLibrariesKnowNoOptions: a Go program that calls a library has no command line. Errors name the field of the
// options (internal/field), and the programs in cmd know which option sets it.
func TestLibrariesKnowNoOptions(t *testing.T) {
	used := make(map[string]bool)
	eachLiteral(t, func(position token.Position, text string) {
		if argument.MatchString(text) || !option.MatchString(command.ReplaceAllString(text, "")) {
			return
		}
		for part := range withOptions {
			if strings.Contains(text, part) {
				used[part] = true
				return
			}
		}
		t.Errorf("%s: %q names an option of a command line; name the field with internal/field", position, text)
	})
	for part := range withOptions {
		if !used[part] {
			t.Errorf("no literal has %q any more; remove it from the exceptions", part)
		}
	}
}

// eachLiteral calls visit for each string literal of the library packages' production code: all but the programs' own
// and the tests'.
func eachLiteral(t *testing.T, visit func(token.Position, string)) {
	t.Helper()
	eachFile(t, func(set *token.FileSet, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil {
					visit(set.Position(literal.Pos()), text)
				}
			}
			return true
		})
	})
}

// eachFile calls visit for each file of the library packages' production code.
func eachFile(t *testing.T, visit func(*token.FileSet, *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch inTree, _ := filepath.Rel(root, path); {
		case e.IsDir() && (inTree == "cmd" || inTree == "test" || inTree == "tools" || strings.HasPrefix(e.Name(), ".") &&
			inTree != "."):
			return fs.SkipDir
		case e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		visit(files, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
