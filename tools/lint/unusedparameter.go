// SPDX-License-Identifier: Apache-2.0

package main

import (
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/packages"
	"mvdan.cc/unparam/check"
)

// unusedParameter is unparam, a package at a time, so that go vet can remember what it found.
var unusedParameter = &analysis.Analyzer{
	Name:     "unparam",
	Doc:      "report unused parameters, and results that never vary, of functions that are not exported",
	Requires: []*analysis.Analyzer{buildssa.Analyzer},
	Run:      checkParameters,
}

func checkParameters(pass *analysis.Pass) (any, error) {
	program := pass.ResultOf[buildssa.Analyzer].(*buildssa.SSA)
	var checker check.Checker
	checker.Packages([]*packages.Package{{
		Fset: pass.Fset, Syntax: pass.Files, Types: pass.Pkg, TypesInfo: pass.TypesInfo,
	}})
	checker.ProgramSSA(program.Pkg.Prog)
	issues, err := checker.Check()
	for _, issue := range issues {
		pass.Reportf(issue.Pos(), "%s", issue.Message())
	}
	return nil, err
}
