// SPDX-License-Identifier: Apache-2.0

// Package printable makes text of others harmless for a terminal, a journal and a reader of lines. In: what a
// container, an archive or a file's name says, in any bytes; out: text without control characters, escape sequences
// among them. Everybody may call it; it calls nobody.
package printable

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// isControl reports whether r is a control character: C0, DEL or C1, of which terminals take some for escape sequences,
// or one that ends a line or turns the order of what is shown (Unicode, Bidi_Control).
func isControl(r rune) bool {
	return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// line is what a line shows of r.
func line(r rune) rune {
	if isControl(r) {
		return '?'
	}
	return r
}

// lines is what text of many lines shows of r: carriage returns go, since one alone begins a line again.
func lines(r rune) rune {
	switch r {
	case '\n', '\t':
		return r
	case '\r':
		return -1
	}
	return line(r)
}

// Line returns text as one line: control characters, line feeds among them, become question marks.
func Line(text string) string { return strings.Map(line, text) }

// Short is Line of no more than so many bytes, at least 3; what is cut off an ellipsis stands for.
func Short(text string, bytes int) string {
	cut := len(text) > bytes
	if cut {
		text = text[:bytes]
	}
	text = Line(text) // which may be longer, where it is not UTF-8
	if !cut && len(text) <= bytes {
		return text
	}
	end := 0
	for i, r := range text {
		if i+utf8.RuneLen(r) > bytes-len(ellipsis) {
			break
		}
		end = i + utf8.RuneLen(r)
	}
	return text[:end] + ellipsis
}

const ellipsis = "…"

// Text returns text of any number of lines: control characters except line feeds and tabs become question marks, and
// carriage returns go.
func Text(text string) string { return strings.Map(lines, text) }

// Bytes is Text for bytes.
func Bytes(text []byte) []byte { return bytes.Map(lines, text) }

// Quoted returns a name, such as a path, as it is, or as a Go string with its quotes where a character of it would not
// show what it is: nothing is lost, so that an administrator can find what has the name.
func Quoted(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}
