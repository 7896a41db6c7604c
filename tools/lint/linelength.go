// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"unicode/utf8"

	"golang.org/x/tools/go/analysis"
)

// maxLine is the longest line in characters, a tab counted as one.
const maxLine = 120

var lineLength = &analysis.Analyzer{
	Name: "linelength",
	Doc:  "report lines of more than 120 characters",
	Run:  checkLines,
}

func checkLines(pass *analysis.Pass) (any, error) {
	for _, syntax := range pass.Files {
		file := pass.Fset.File(syntax.Pos())
		content, err := pass.ReadFile(file.Name())
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(bytes.NewReader(content))
		lines.Buffer(nil, len(content)+1)
		for number := 1; lines.Scan(); number++ {
			if length := utf8.RuneCount(lines.Bytes()); length > maxLine {
				pass.Reportf(file.LineStart(number), "the line has %d characters, which is more than %d", length, maxLine)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
