// SPDX-License-Identifier: Apache-2.0

package mcs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Policy is what the host's policy and its administrator say about categories.
type Policy struct {
	Range  Level   // the categories that may be handed out
	Source string  // who says so
	Named  []Level // levels that have a meaning of their own (setrans.conf(5)); they are not handed out
}

// ReadPolicy reads the policy that /etc/selinux/config names, below a root directory; "" is the host's own. A host
// without one has all categories.
func ReadPolicy(root string) (*Policy, error) {
	p := &Policy{Range: Level{}.With(Run{0, Categories - 1}), Source: "every category that there is"}
	text, err := read(root + "/etc/selinux/config")
	if err != nil {
		return nil, err
	}
	policyType := parsePolicyType(text)
	if policyType == "" {
		return p, nil
	}
	dir := filepath.Join("/etc/selinux", policyType)
	file := filepath.Join(dir, "seusers")
	if text, err = read(root + file); err != nil {
		return nil, err
	}
	login, granted, err := parseSEUsers(text)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", file, err)
	}
	if login != "" {
		p.Range, p.Source = granted, login+" in "+file
	}
	if text, err = read(root + filepath.Join(dir, "setrans.conf")); err != nil {
		return nil, err
	}
	for _, level := range parseSetrans(text) {
		// One that has the whole range is the name of its top, and takes no pair away.
		if !level.Dominates(p.Range) {
			p.Named = append(p.Named, level)
		}
	}
	return p, nil
}

// read returns the text of a file, "" of one that does not exist.
func read(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read SELinux policy: %w", err)
	}
	return string(data), nil
}

// settings returns the lines of a file of the policy, with their numbers, that are neither empty nor comments.
func settings(text string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		n := 0
		for line := range strings.Lines(text) {
			n++
			line = strings.TrimSpace(line)
			if line != "" && line[0] != '#' && line[0] != ';' && !yield(n, line) {
				return
			}
		}
	}
}

// parsePolicyType finds SELINUXTYPE in the text of /etc/selinux/config (selinux_config(5)); "" for none.
func parsePolicyType(text string) string {
	name := ""
	for _, line := range settings(text) {
		if value, found := strings.CutPrefix(line, "SELINUXTYPE="); found {
			name = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	if strings.Contains(name, "/") || name == "." || name == ".." {
		return ""
	}
	return name
}

// parseSEUsers finds the login in a seusers(5) file whose range bounds what services may be given, system_u or else the
// default, and the categories of its high level; "" for neither. An error begins with the number of the line.
func parseSEUsers(text string) (login string, granted Level, err error) {
	const fallback = "__default__"
	for n, line := range settings(text) {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) < 3 || (fields[0] != "system_u" && (fields[0] != fallback || login != "")) {
			continue
		}
		level, err := parseHigh(fields[2])
		if err != nil {
			return "", Level{}, fmt.Errorf("%d: range %q of %s: %w", n, fields[2], fields[0], err)
		}
		if fields[0] == fallback && level.Count() == 0 {
			// It keeps people from categories, not services.
			continue
		}
		login, granted = fields[0], level
		if login != fallback {
			break
		}
	}
	return login, granted, nil
}

// parseHigh reads the high level of a range, whose sensitivity may be any.
func parseHigh(text string) (Level, error) {
	low, high, isRange := strings.Cut(text, "-")
	if !isRange {
		high = low
	}
	_, list, found := strings.Cut(strings.TrimSpace(high), ":")
	if !found {
		return Level{}, nil
	}
	return Parse("s0:" + list)
}

// parseSetrans finds the levels with categories that a setrans.conf(5) gives names to. Lines of other forms are none.
func parseSetrans(text string) []Level {
	var named []Level
	for _, line := range settings(text) {
		name, _, found := strings.Cut(line, "=")
		if level, err := Parse(strings.TrimSpace(name)); found && err == nil && level.Count() > 0 {
			named = append(named, level)
		}
	}
	return named
}
