// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxConfigSize bounds what is read into memory; the largest real config has a few hundred lines.
const maxConfigSize = 1 << 20

// entry is one KEY=VALUE of a config.
type entry struct {
	section, key, value string
}

// line is one line of the text: what it says, and the text itself for those that say nothing to us.
type line struct {
	number  int
	text    string
	kind    lineKind
	section string // set on section headers and on all lines below one
	entry   entry  // of a lineEntry
}

type lineKind int

const (
	lineOther lineKind = iota // blank or a comment
	lineHeader
	lineEntry
)

// parseLines splits a config into lines.
func parseLines(file, text string) ([]line, error) {
	lines := make([]line, 0, 1+strings.Count(text, "\n"))
	err := eachLine(file, text, func(l line) error {
		lines = append(lines, l)
		return nil
	})
	return lines, err
}

// eachLine calls visit with each line of a config. Comments begin with # or ; in the first column, like in
// systemd.syntax(7).
func eachLine(file, text string, visit func(line) error) error {
	if len(text) > maxConfigSize {
		return &SyntaxError{File: file, Message: fmt.Sprintf(msgTooLong, maxConfigSize)}
	}
	section, number := "", 0
	for raw := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		number++
		l, err := parseLine(raw, section)
		if err != nil {
			return &SyntaxError{File: file, Line: number, Message: err.Error()}
		}
		l.number, section = number, l.section
		if err := visit(l); err != nil {
			return err
		}
	}
	return nil
}

func parseLine(raw, section string) (line, error) {
	l := line{text: raw, section: section}
	trimmed := strings.TrimSpace(raw)
	if !utf8.ValidString(raw) || hasControl(trimmed, '\t') {
		return l, errors.New(msgNotText)
	}
	switch {
	case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
	case trimmed[0] == '[' && trimmed[len(trimmed)-1] == ']':
		l.kind, l.section = lineHeader, trimmed[1:len(trimmed)-1]
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
		l.kind, l.entry = lineEntry, entry{section, strings.TrimSpace(key), value}
	}
	return l, nil
}

// text returns an entry as a line.
func (e entry) text() string {
	if isVerbatim(e.section) {
		return e.key + "=" + e.value
	}
	return e.key + "=" + quote(e.value)
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

// merge writes entries into an existing text: what a person wrote stays where it is, changed values are replaced in
// place, new ones go to the end of their section, and what is no longer there goes.
func merge(old []line, entries []entry) string {
	pending := make(map[string][]entry) // by section, those not yet written
	var order []string
	for _, e := range entries {
		if _, seen := pending[e.section]; !seen {
			order = append(order, e.section)
		}
		pending[e.section] = append(pending[e.section], e)
	}
	stay := staying(old, entries)
	var out []string
	flush := func(section string) {
		blank := len(out)
		for blank > 0 && strings.TrimSpace(out[blank-1]) == "" {
			blank--
		}
		var added []string
		for _, e := range pending[section] {
			added = append(added, e.text())
		}
		out = append(out[:blank:blank], append(added, out[blank:]...)...)
		delete(pending, section)
	}
	section := ""
	for _, l := range old {
		switch {
		case l.kind == lineHeader:
			flush(section)
			section = l.section
			out = append(out, l.text)
		case l.kind == lineOther:
			out = append(out, l.text)
		case stay[l.number]:
			i := slices.IndexFunc(pending[section], func(e entry) bool { return e.key == l.entry.key })
			if i < 0 {
				continue // A second section of the name: the first has taken all.
			}
			e := pending[section][i]
			pending[section] = slices.Delete(pending[section], i, i+1)
			if e == l.entry {
				out = append(out, l.text)
			} else {
				out = append(out, e.text())
			}
		}
	}
	flush(section)
	for _, name := range order {
		if len(pending[name]) == 0 {
			continue
		}
		if len(out) > 0 && out[len(out)-1] != "" {
			out = append(out, "")
		}
		out = append(out, "["+name+"]")
		flush(name)
	}
	return strings.Join(out, "\n") + "\n"
}

// staying tells, by line number, which old lines take the next value of their key. Values keep their order, which
// counts for arguments: of a list that grew or shrank, those lines stay that lead in the new one.
func staying(old []line, entries []entry) map[int]bool {
	now, was := make(map[keyName][]string), make(map[keyName]int)
	for _, e := range entries {
		now[keyName{e.section, e.key}] = append(now[keyName{e.section, e.key}], e.value)
	}
	for _, l := range old {
		if l.kind == lineEntry {
			was[keyName{l.entry.section, l.entry.key}]++
		}
	}
	stay, next := make(map[int]bool), make(map[keyName]int)
	for _, l := range old {
		if l.kind != lineEntry {
			continue
		}
		name := keyName{l.entry.section, l.entry.key}
		values := now[name]
		if was[name] == len(values) || (next[name] < len(values) && values[next[name]] == l.entry.value) {
			stay[l.number] = true
			next[name]++
		}
	}
	return stay
}
