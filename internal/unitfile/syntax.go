// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// assignment is one line of a unit file, continued lines joined.
type assignment struct{ section, name, value string }

const (
	// maxLine is the longest line that systemd reads, continued or not, in bytes.
	maxLine = 1 << 20
	blanks  = " \t\n\r"
)

// parse reads a unit file as systemd does (systemd.syntax(7)): what that ignores with a warning, this ignores too. An
// error is what systemd ends reading at; what comes before it counts. sections are those that units of the type have.
func parse(text string, sections []string) ([]assignment, error) {
	var all []assignment
	section, continued := "", ""
	add := func(line string) (err error) {
		section, err = parseLine(strings.Trim(line, blanks), section, sections, &all)
		return err
	}
	text = strings.TrimPrefix(text, "\ufeff")
	for text != "" {
		var line string
		line, text = cutLine(text)
		if start := strings.TrimLeft(line, blanks); start != "" && strings.ContainsRune("#;", rune(start[0])) {
			continue // Also between continued lines.
		}
		line = continued + line
		if len(line) > maxLine {
			return all, fmt.Errorf("a line has more than %d bytes", maxLine)
		}
		if continued = ""; endsInEscape(line) {
			continued = line[:len(line)-1] + " "
			continue
		}
		if err := add(line); err != nil {
			return all, err
		}
	}
	return all, add(continued)
}

// cutLine cuts the first line off. Of the characters that end one, different ones beside each other are one end.
func cutLine(text string) (line, rest string) {
	const ends = "\n\r\x00"
	at := strings.IndexAny(text, ends)
	if at < 0 {
		return text, ""
	}
	end := at + 1
	for end < len(text) && strings.IndexByte(ends, text[end]) >= 0 && !strings.Contains(text[at:end], text[end:end+1]) {
		end++
	}
	return text[:at], text[end:]
}

// endsInEscape reports whether the last character is a backslash that no other escapes.
func endsInEscape(line string) bool {
	escapes := len(line) - len(strings.TrimRight(line, `\`))
	return escapes%2 == 1
}

// parseLine reads one line in a section and returns the section of the next; "" is one that systemd does not know.
func parseLine(line, section string, sections []string, all *[]assignment) (string, error) {
	if line == "" || !utf8.ValidString(line) {
		return section, nil
	}
	if line[0] == '[' {
		name, closed := strings.CutSuffix(line[1:], "]")
		if !closed {
			return section, fmt.Errorf("%q is no header of a section", line)
		}
		if !slices.Contains(sections, name) {
			name = ""
		}
		return name, nil
	}
	name, value, found := strings.Cut(line, "=")
	if name = strings.TrimRight(name, blanks); section != "" && found && name != "" {
		*all = append(*all, assignment{section, name, strings.TrimLeft(value, blanks)})
	}
	return section, nil
}

// sectionsOf returns the sections of a unit's files.
func sectionsOf(name string) []string {
	sections := []string{"Unit", "Install"}
	if unit, err := unitname.Parse(name); err == nil {
		kind := string(unit.Type())
		sections = append(sections, strings.ToUpper(kind[:1])+kind[1:])
	}
	return sections
}

// split returns the words of a value (systemd.syntax(7)): a quote holds blanks, and a backslash keeps what it is
// before from meaning anything. Other escapes stay as they are, since it depends on the directive whether they are
// any.
func split(value string) []string {
	var words []string
	var word strings.Builder
	inWord, quote := false, byte(0)
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c == '\\' && i+1 < len(value):
			if i++; !strings.ContainsRune(blanks+`"'`, rune(value[i])) {
				word.WriteByte(c)
			}
			word.WriteByte(value[i])
			inWord = true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inWord = c, true
		case quote == 0 && strings.IndexByte(blanks, c) >= 0:
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words
}
