// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The terminal, in characters; and its characters, in pixels.
const (
	columns, rows     = 96, 26
	textWidth, height = 702, 17 // of a whole line
	margin            = 14
	lasting           = 5 * time.Second // of the last picture, before it begins anew
)

// draw writes lines as a picture that moves by CSS alone. Each line has its time, and all go up when the terminal is
// full. Where nothing moves, it shows the beginning.
func draw(out io.Writer, title string, lines []line) error {
	if len(lines) == 0 {
		return fmt.Errorf("nothing was shown")
	}
	begun := lines[0].at
	for i := range lines {
		lines[i].at -= begun
	}
	whole := lines[len(lines)-1].at + lasting
	part := func(at time.Duration) string { return fmt.Sprintf("%.2f%%", 100*float64(at)/float64(whole)) }
	var moments []time.Duration
	for _, l := range lines {
		if !slices.Contains(moments, l.at) {
			moments = append(moments, l.at)
		}
	}
	var b strings.Builder
	w, h := textWidth+2*margin, rows*height+2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" `+
		`aria-labelledby="title">`+"\n", w, h, w, h)
	fmt.Fprintf(&b, "<title id=\"title\">%s</title>\n<style>\n", html.EscapeString(title))
	fmt.Fprintf(&b, "rect { fill: #14181d; stroke: #37414b }\n"+
		"text { font: 12px ui-monospace, 'DejaVu Sans Mono', monospace; fill: #dfe5eb; white-space: pre }\n"+
		".c { fill: #8fd18f; font-weight: bold }\n"+
		"@media (prefers-reduced-motion: no-preference) {\n"+
		"text, .all { animation: %.1fs step-end infinite }\n", whole.Seconds())
	for i, at := range moments {
		if at > moments[0] {
			fmt.Fprintf(&b, ".t%d { animation-name: t%d }\n"+
				"@keyframes t%d { 0%% { visibility: hidden } %s { visibility: visible } }\n",
				i, i, i, part(at))
		}
	}
	b.WriteString(".all { animation-name: up }\n@keyframes up { 0% { transform: none }")
	for i, l := range lines {
		if i >= rows && (i+1 == len(lines) || lines[i+1].at != l.at) {
			fmt.Fprintf(&b, " %s { transform: translateY(-%dpx) }", part(l.at), (i+1-rows)*height)
		}
	}
	b.WriteString(" }\n}\n</style>\n")
	fmt.Fprintf(&b, "<rect x=\"1\" y=\"1\" width=\"%d\" height=\"%d\" rx=\"8\"/>\n", w-2, h-2)
	fmt.Fprintf(&b, "<svg x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"><g class=\"all\">\n",
		margin, margin, w-2*margin, rows*height)
	for i, l := range lines {
		if l.text == "" {
			continue
		}
		text := l.text
		if utf8.RuneCountInString(text) > columns {
			text = string([]rune(text)[:columns-1]) + "…"
		}
		class := fmt.Sprintf("t%d", slices.Index(moments, l.at))
		if l.bold || strings.HasPrefix(text, prompt) {
			class += " c"
		}
		fmt.Fprintf(&b, "<text class=\"%s\" y=\"%d\">%s</text>\n", class, i*height+height-5, html.EscapeString(text))
	}
	b.WriteString("</g></svg>\n</svg>\n")
	_, err := io.WriteString(out, b.String())
	return err
}
