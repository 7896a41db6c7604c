// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

// maxConfigSize bounds what is read into memory; the largest real config has a few hundred lines.
const maxConfigSize = 1 << 20

type (
	entry = textmerge.Entry
	line  = textmerge.Line
)

// parseLines splits a config into lines.
func parseLines(file, text string) ([]line, error) {
	lines := make([]line, 0, 1+strings.Count(text, "\n"))
	err := eachLine(file, text, func(l line, wrong error) error {
		lines = append(lines, l)
		return wrong
	})
	return lines, err
}

// eachLine calls visit with each line of a config, or with what is wrong with it. Comments begin with # or ; in the
// first column, like in systemd.syntax(7).
func eachLine(file, text string, visit func(line, error) error) error {
	if len(text) > maxConfigSize {
		return &SyntaxError{File: file, Message: fmt.Sprintf(msgTooLong, maxConfigSize)}
	}
	section, number := "", 0
	for raw := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		number++
		l, err := parseLine(raw, section)
		l.Number, section = number, l.Section
		if err := visit(l, err); err != nil {
			return err
		}
	}
	return nil
}

func parseLine(raw, section string) (line, error) {
	l := line{Text: raw, Section: section}
	trimmed := strings.TrimSpace(raw)
	if !utf8.ValidString(raw) || hasControl(trimmed, '\t') {
		return l, errors.New(msgNotText)
	}
	switch {
	case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
	case trimmed[0] == '[' && trimmed[len(trimmed)-1] == ']':
		l.Kind, l.Section = textmerge.Header, trimmed[1:len(trimmed)-1]
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
		l.Kind, l.Entry = textmerge.Setting, entry{Section: section, Key: strings.TrimSpace(key), Value: value}
	}
	return l, nil
}

// textOf returns an entry as a line.
func textOf(e entry) string {
	if isVerbatim(e.Section) {
		return e.Key + "=" + e.Value
	}
	return e.Key + "=" + quote(e.Value)
}

// quote writes a value so that unquote reads it back: bare where a person would write it bare.
func quote(value string) string {
	if value == "" || value != strings.TrimSpace(value) || value[0] == '"' || hasControl(value) ||
		!utf8.ValidString(value) {
		// A literal U+FFFD is what text that is not UTF-8 turns into; parseLines takes none.
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

// keyName is a key of the format.
type keyName struct{ section, key string }
