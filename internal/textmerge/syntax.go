// SPDX-License-Identifier: Apache-2.0

package textmerge

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What can be wrong with a line, as a sentence that says what to do.
const (
	msgNotKeyValue = "%q is neither [section], KEY=VALUE nor a # comment"
	msgNoSection   = "%q stands before the first [section]"
	msgQuotes      = "%s is not a well quoted value; close the quotes and escape with \\"
	msgNotText     = "the line is not UTF-8 text without control characters"
)

// ReadLine reads one line below a section. Comments begin with # or ; in the first column, like in systemd.syntax(7).
// The values of a verbatim section have quoting of their own.
func ReadLine(raw, section string, isVerbatim func(section string) bool) (Line, error) {
	l := Line{Text: raw, Section: section}
	trimmed := strings.TrimSpace(raw)
	if !utf8.ValidString(raw) || HasControl(trimmed, '\t') {
		return l, errors.New(msgNotText)
	}
	switch {
	case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
	case trimmed[0] == '[' && trimmed[len(trimmed)-1] == ']':
		l.Kind, l.Section = Header, trimmed[1:len(trimmed)-1]
	default:
		key, value, found := strings.Cut(trimmed, "=")
		if !found {
			return l, fmt.Errorf(msgNotKeyValue, trimmed)
		}
		if section == "" {
			return l, fmt.Errorf(msgNoSection, trimmed)
		}
		value = strings.TrimSpace(value)
		if !isVerbatim(section) {
			var err error
			if value, err = unquote(value); err != nil {
				return l, err
			}
		}
		l.Kind, l.Entry = Setting, Entry{Section: section, Key: strings.TrimSpace(key), Value: value}
	}
	return l, nil
}

// Quote writes a value so that ReadLine reads it back: bare where a person would write it bare.
func Quote(value string) string {
	if value == "" || value != strings.TrimSpace(value) || value[0] == '"' || HasControl(value) ||
		!utf8.ValidString(value) {
		// A literal U+FFFD is what text that is not UTF-8 turns into; ReadLine takes none.
		return strings.ReplaceAll(strconv.Quote(value), "\ufffd", `\ufffd`)
	}
	return value
}

func unquote(text string) (string, error) {
	if text == "" || text[0] != '"' {
		return text, nil
	}
	value, err := strconv.Unquote(text)
	if err != nil {
		return "", fmt.Errorf(msgQuotes, text)
	}
	return value, nil
}

// HasControl tells of control characters, except those that are allowed, and of what is not UTF-8.
func HasControl(text string, except ...rune) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return (r < ' ' || r == 0x7f || r == 0xfffd) && !slices.Contains(except, r)
	})
}

// Each calls visit with each line of a text, or with what is wrong with it.
func Each(text string, isVerbatim func(section string) bool, visit func(Line, error) error) error {
	section, number := "", 0
	for raw := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		number++
		l, err := ReadLine(raw, section, isVerbatim)
		l.Number, section = number, l.Section
		if err := visit(l, err); err != nil {
			return err
		}
	}
	return nil
}

// Has reports whether a text has a setting.
func Has(text string, setting Entry, isVerbatim func(section string) bool) bool {
	found := false
	_ = Each(text, isVerbatim, func(l Line, _ error) error {
		found = found || l.Kind == Setting && l.Entry == setting
		return nil
	})
	return found
}

// IsEmpty reports whether a line sets a key to nothing at all; "" in quotes is a value.
func (l Line) IsEmpty() bool {
	return l.Kind == Setting && l.Entry.Value == "" && strings.HasSuffix(strings.TrimSpace(l.Text), "=")
}
