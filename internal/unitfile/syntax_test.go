// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestParse: what systemd reads is read, and what it ignores with a warning is ignored.
func TestParse(t *testing.T) {
	long := strings.Repeat("x", 2100)
	cases := []struct{ name, text, want string }{
		{"a stray word", "[Unit]\nstray\nA=1\n[Service]\nB=2", "Unit A 1|Service B 2"},
		{"a long line", "[Service]\nEnvironment=A=" + long, "Service Environment A=" + long},
		{"a comment inside a continued line", "[Service]\nA=1 \\\n# no\n  ; no\n2 \\\n3\nB=4",
			"Service A 1  2  3|Service B 4"},
		{"an empty line ends a continued one", "[Service]\nA=1 \\\n\nB=2", "Service A 1|Service B 2"},
		{"blanks around", "  [Service]  \n\tA = 1 = 2 \n", "Service A 1 = 2"},
		{"a backslash before a blank at the end", "[Service]\nA=1 \\ \nB=2", `Service A 1 \|Service B 2`},
		{"a backslash that is escaped", "[Service]\nA=1\\\\\nB=2", `Service A 1\\|Service B 2`},
		{"continued to the end", "[Service]\nA=1 \\", "Service A 1"},
		{"line ends of other systems", "\ufeff[Service]\r\nA=1 \\\r\n2\r\nB=3\rC=4",
			"Service A 1  2|Service B 3|Service C 4"},
		{"an unknown section", "A=0\n[X-Other]\nA=1\n[Socket]\nA=2\n[Service]\nA=3", "Service A 3"},
		{"no name", "[Service]\n=1\nA=", "Service A "},
		{"no UTF-8", "[Service]\nA=\xff\nB=1", "Service B 1"},
		{"nothing", "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			all, err := parse(c.text, sectionsOf("d.service"))
			var got []string
			for _, a := range all {
				got = append(got, fmt.Sprintf("%s %s %s", a.section, a.name, a.value))
			}
			if text := strings.Join(got, "|"); err != nil || text != c.want {
				t.Errorf("got %q, %v; want %q", text, err, c.want)
			}
		})
	}
}

// TestParseEnds: systemd reads no further than a header that is none, and no line beyond a mebibyte.
func TestParseEnds(t *testing.T) {
	for _, text := range []string{
		"[Service]\nA=1\n[Service\nB=2", "[Service]\nA=1\nB=" + strings.Repeat("x", maxLine),
		"[Service]\nA=1\nB=" + strings.Repeat(strings.Repeat("x", 1000)+"\\\n", 1100),
	} {
		all, err := parse(text, sectionsOf("d.service"))
		if err == nil || len(all) != 1 || all[0].name != "A" {
			t.Errorf("got %.100v, %v", all, err)
		}
	}
}

func TestSplit(t *testing.T) {
	for value, want := range map[string][]string{
		"":                    nil,
		"  ":                  nil,
		"a  b\tc":             {"a", "b", "c"},
		`"a b" 'c "d' e"f g"`: {"a b", `c "d`, "ef g"},
		`a\ b \"c \x2d`:       {"a b", `"c`, `\x2d`},
		`"" x`:                {"", "x"},
		`"open it`:            {"open it"},
		`end\`:                {`end\`},
	} {
		if got := split(value); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
}

// FuzzParse: no file makes the reader say what a file cannot.
func FuzzParse(f *testing.F) {
	f.Add("[Unit]\nA=1 \\\n# c\n2\n[Service]\nB=\"x y\" z\\\n")
	f.Add("[Service\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, _ := parse(text, sectionsOf("d.service"))
		for _, a := range all {
			if a.name == "" || strings.ContainsAny(a.name, "=\n") || strings.ContainsAny(a.value, "\n\r\x00") {
				t.Errorf("%q gives %+v", text, a)
			}
			for _, word := range split(a.value) {
				if len(word) > len(a.value) {
					t.Errorf("%q gives the word %q", a.value, word)
				}
			}
		}
	})
}
