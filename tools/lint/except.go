// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/token"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// except has an analyzer leave out what a line says with "//nolint:NAME // why", and tests where it is told to: they
// compare errors for what they are.
func except(analyzer *analysis.Analyzer, tests bool) *analysis.Analyzer {
	wrapped := *analyzer
	wrapped.Run = func(pass *analysis.Pass) (any, error) {
		allowed := allowedLines(pass, analyzer.Name)
		reporting := *pass
		reporting.Report = func(d analysis.Diagnostic) {
			at := pass.Fset.Position(d.Pos)
			if allowed[line{at.Filename, at.Line}] || (tests && strings.HasSuffix(at.Filename, "_test.go")) {
				return
			}
			pass.Report(d)
		}
		return analyzer.Run(&reporting)
	}
	return &wrapped
}

type line struct {
	file   string
	number int
}

// allowedLines finds the lines of a package on which an analyzer is told to be quiet.
func allowedLines(pass *analysis.Pass, name string) map[line]bool {
	found := make(map[line]bool)
	for _, file := range pass.Files {
		for _, group := range file.Comments {
			for _, comment := range group.List {
				if strings.HasPrefix(comment.Text, "//nolint:"+name+" ") {
					found[lineOf(pass.Fset, comment.Pos())] = true
				}
			}
		}
	}
	return found
}

func lineOf(set *token.FileSet, pos token.Pos) line {
	at := set.Position(pos)
	return line{at.Filename, at.Line}
}
