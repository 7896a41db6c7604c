// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"time"
)

// line is one of the terminal, and when it stood there whole.
type line struct {
	at   time.Duration
	bold bool
	text string
}

// screen lays chunks out as lines. Of what a terminal understands, these are known: the end of a line, a return to its
// beginning, whose text is overwritten, and bold; all else of that kind is left out.
func screen(chunks []chunk) (lines []line) {
	var now time.Duration
	var current line
	column := 0
	var text []rune
	for _, c := range chunks {
		now += min(max(c.after, shortest), longest)
		for rest := c.text; rest != ""; {
			if sequence := escape(rest); sequence != "" {
				if strings.HasSuffix(sequence, "[1m") {
					current.bold = true
				} else if strings.HasSuffix(sequence, "K") {
					text = text[:min(column, len(text))]
				}
				rest = rest[len(sequence):]
				continue
			}
			r := []rune(rest)[0]
			rest = rest[len(string(r)):]
			switch {
			case r == '\n':
				current.text = strings.TrimRight(string(text), " ")
				if strings.HasPrefix(current.text, prompt) && len(lines) > 0 {
					now += reading
				}
				if current.text == "" && len(lines) == 0 {
					now = 0 // it begins with what can be read
				} else {
					current.at = now
					lines = append(lines, current)
				}
				current, text, column = line{}, nil, 0
			case r == '\r':
				column = 0
			case r >= ' ':
				for len(text) <= column {
					text = append(text, ' ')
				}
				text[column] = r
				column++
			}
		}
	}
	return lines
}

// escape returns the control sequence at the beginning of a text; "" for none.
func escape(text string) string {
	if !strings.HasPrefix(text, "\x1b") {
		return ""
	}
	if len(text) < 2 || text[1] != '[' {
		return text[:min(2, len(text))]
	}
	for i := 2; i < len(text); i++ {
		if text[i] >= '@' && text[i] <= '~' {
			return text[:i+1]
		}
	}
	return text
}
