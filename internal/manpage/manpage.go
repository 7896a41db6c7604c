// SPDX-License-Identifier: Apache-2.0

// Package manpage reads the pages of the manual, for tests that compare them with the programs.
package manpage

import (
	"regexp"
	"slices"
	"strings"
)

// Plain returns the source of a page with hyphens as a person types them.
func Plain(page []byte) string { return strings.ReplaceAll(string(page), `\-`, "-") }

// Section returns the text below a heading, such as ".SH OPTIONS", up to the next of its kind; "" for none.
func Section(page, heading string) string {
	_, rest, _ := strings.Cut(page, heading+"\n")
	text, _, _ := strings.Cut(rest, strings.Fields(heading)[0]+" ")
	return text
}

// Names returns what the first group of an expression finds, sorted.
func Names(expression, text string) []string {
	var list []string
	for _, match := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
		list = append(list, match[1])
	}
	slices.Sort(list)
	return list
}
