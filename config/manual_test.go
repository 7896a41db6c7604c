// SPDX-License-Identifier: Apache-2.0

package config

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestManual compares virt-sandbox.config(5) with the format: each section and key of one is in the other.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("../man/virt-sandbox.config.5")
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]bool)
	repeated := make(map[string]bool)
	for _, f := range fields() {
		want["["+f.section+"]"], want["["+f.section+"] "+f.key] = true, true
		repeated["["+f.section+"] "+f.key] = f.repeated
	}
	for _, section := range []string{environmentSection, unitSection, serviceSection} {
		want["["+section+"]"] = true
	}
	got := documented(string(text))
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if _, found := got[name]; !found {
			t.Errorf("%s is not documented", name)
		}
	}
	for name, what := range got {
		if !want[name] {
			t.Errorf("%s is documented, and is not in the format", name)
		}
		if repeated[name] && !strings.Contains(what, "repeated") && !strings.Contains(what, "one each") {
			t.Errorf("that %s can be repeated is not said:\n%s", name, what)
		}
	}
}

// documented returns the sections and keys of a page, and what it says of each: .SS [a], [b] begins sections, and .TP
// in them, outside of a list within one of them, keys.
func documented(page string) map[string]string {
	names := make(map[string]string)
	var sections, current []string
	depth := 0
	introduction := "" // of a section, about all its keys
	isTag := false
	for line := range strings.Lines(page) {
		macro, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case macro == ".SH":
			sections, current = nil, nil
		case macro == ".SS":
			sections, current, introduction = regexp.MustCompile(`\[[a-z-]+\]`).FindAllString(rest, -1), nil, ""
			for _, section := range sections {
				names[section] = ""
			}
		case macro == ".RS":
			depth++
		case macro == ".RE":
			depth--
		case macro == ".TP" && depth == 0:
			isTag = len(sections) > 0
		case isTag:
			isTag = false
			current = nil
			for _, key := range keysOf(macro, rest) {
				current = append(current, sections[0]+" "+key)
				names[sections[0]+" "+key] = introduction
			}
		case len(current) == 0:
			introduction += line
		default:
			for _, key := range current {
				names[key] += line
			}
		}
	}
	return names
}

// keysOf returns the keys of a tag: all of .B, the bold words of .BR.
func keysOf(macro, rest string) []string {
	switch macro {
	case ".B":
		return []string{rest}
	case ".BR":
		var keys []string
		for _, word := range strings.Split(rest, ` ", " `) {
			keys = append(keys, strings.ReplaceAll(word, `\-`, "-"))
		}
		return keys
	}
	return []string{"tag " + macro + " " + rest}
}
