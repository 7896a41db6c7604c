// SPDX-License-Identifier: Apache-2.0

// Lint holds go vet's own checks, and those of this repository's Go code that neither go vet nor staticcheck has. They
// are one program, so that the code is read once. It is a tool for go vet, which remembers what it has checked:
//
//	go vet -vettool=bin/lint ./...
package main

import (
	"slices"

	"github.com/nishanths/predeclared/passes/predeclared"
	"github.com/polyfloyd/go-errorlint/errorlint"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/cgocall"
	"golang.org/x/tools/go/analysis/passes/nilness"
	"golang.org/x/tools/go/analysis/passes/unusedwrite"
	"golang.org/x/tools/go/analysis/suite/vet"
	"golang.org/x/tools/go/analysis/unitchecker"
)

func main() {
	// Vet's cgocall opens the source by the path it was compiled at. With -trimpath the build cache gives what another
	// checkout compiled, which may be gone.
	suite := slices.DeleteFunc(slices.Clone(vet.Suite), func(a *analysis.Analyzer) bool { return a == cgocall.Analyzer })
	unitchecker.Main(append(suite,
		except(errorlint.NewAnalyzer(), true), // errors are compared with errors.Is and wrapped with %w
		lineLength,                            // no line over 120 columns
		nilness.Analyzer,                      // no comparison with nil whose outcome is known
		predeclared.Analyzer,                  // nothing is named after a builtin
		unusedParameter,                       // no parameter without use
		unusedwrite.Analyzer,                  // no write to a field that nobody reads
	)...)
}
