// SPDX-License-Identifier: Apache-2.0

package legacy

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// maxSize bounds a config: at most 1024 mounts, variables and disks of a few lines each.
const maxSize = 1 << 20

// entry is one KEY=VALUE.
type entry struct {
	text string
	line int
	used bool
}

// group is one [GROUP]. A group that is given again goes on, as in GLib.
type group struct {
	line    int
	entries map[string]*entry
	keys    []string
}

// keyFile is the syntax of a GLib key file (the Desktop Entry Specification, less its locales).
type keyFile struct {
	file   string
	groups map[string]*group
	names  []string
}

func parseKeyFile(file, text string) (*keyFile, error) {
	fail := func(line int, err error) error {
		return &config.SyntaxError{File: file, Line: line, Message: err.Error()}
	}
	if len(text) > maxSize {
		return nil, fail(0, fmt.Errorf("the file is longer than %d bytes", maxSize))
	}
	k := &keyFile{file: file, groups: make(map[string]*group)}
	var current *group
	line := 0
	for raw := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		line++
		l := strings.TrimLeft(strings.TrimSuffix(raw, "\r"), " \t")
		switch {
		case !isText(l):
			return nil, fail(line, errors.New("the line is not UTF-8 text without control characters"))
		case l == "" || l[0] == '#':
		case l[0] == '[':
			name, found := strings.CutSuffix(strings.TrimRight(l[1:], " \t"), "]")
			if !found || name == "" || strings.ContainsAny(name, "[]") {
				return nil, fail(line, fmt.Errorf("%q is not a [group]", l))
			}
			if current = k.groups[name]; current == nil {
				current = &group{line: line, entries: make(map[string]*entry)}
				k.groups[name], k.names = current, append(k.names, name)
			}
		default:
			if err := current.add(l, line); err != nil {
				return nil, fail(line, err)
			}
		}
	}
	return k, nil
}

// add reads one KEY=VALUE into the group; nil is where no group has begun.
func (g *group) add(l string, line int) error {
	key, value, found := strings.Cut(l, "=")
	key = strings.TrimRight(key, " \t")
	if !found || key == "" || strings.ContainsAny(key, "[]") {
		return fmt.Errorf("%q is neither [group], KEY=VALUE nor a # comment", l)
	}
	if g == nil {
		return fmt.Errorf("%q stands before the first [group]", l)
	}
	if old := g.entries[key]; old != nil {
		return fmt.Errorf("%s= is given twice, first in line %d", key, old.line)
	}
	text, err := unescape(strings.TrimLeft(value, " \t"))
	if err != nil {
		return fmt.Errorf("%s=: %w", key, err)
	}
	g.entries[key] = &entry{text: text, line: line}
	g.keys = append(g.keys, key)
	return nil
}

func isText(l string) bool {
	isControl := func(r rune) bool { return (r < ' ' && r != '\t') || r == 0x7f }
	return utf8.ValidString(l) && !strings.ContainsFunc(l, isControl)
}

// unescape reads a string value as GLib writes it.
func unescape(value string) (string, error) {
	if !strings.Contains(value, `\`) {
		return value, nil
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] != '\\' {
			b.WriteByte(value[i])
			continue
		}
		i++
		if i == len(value) {
			return "", errors.New("the value ends in a backslash")
		}
		plain, found := map[byte]byte{'s': ' ', 'n': '\n', 't': '\t', 'r': '\r', '\\': '\\'}[value[i]]
		if !found {
			return "", fmt.Errorf(`\%c is not an escape`, value[i])
		}
		b.WriteByte(plain)
	}
	return b.String(), nil
}
