// SPDX-License-Identifier: Apache-2.0

package ascii

import (
	"strings"
	"testing"
)

func TestConsists(t *testing.T) {
	for _, c := range []struct {
		text, extra      string
		consists, begins bool
	}{
		{"", "", false, false},
		{"", "-", false, false},
		{"aZ09", "", true, true},
		{"a-b", "", false, true},
		{"a-b", "-", true, true},
		{"-b", "", false, false},
		{"-b", "-_", true, true},
		{"é", "", false, false},
		{"aé", "", false, true},
		{"a\x00", "", false, true},
		{"`", "", false, false},
		{"@", "", false, false},
		{"[", "", false, false},
		{"{", "", false, false},
		{"/", "", false, false},
		{":", "", false, false},
	} {
		if got := Consists(c.text, c.extra); got != c.consists {
			t.Errorf("Consists(%q, %q) is %v", c.text, c.extra, got)
		}
		if got := Begins(c.text, c.extra); got != c.begins {
			t.Errorf("Begins(%q, %q) is %v", c.text, c.extra, got)
		}
	}
}

func TestMap(t *testing.T) {
	toLine := func(rune) rune { return '_' }
	for _, c := range []struct {
		text, extra string
		other       func(rune) rune
		want        string
	}{
		{"web-1.img", "._", toLine, "web_1.img"},
		{"é/\xff", "", toLine, "___"},
		{"web-1", "", func(rune) rune { return -1 }, "web1"},
		{"", "", toLine, ""},
	} {
		if got := Map(c.text, c.extra, c.other); got != c.want {
			t.Errorf("%q with %q: got %q, want %q", c.text, c.extra, got, c.want)
		}
	}
}

// FuzzMap: what Map makes with a plain character consists of what was allowed.
func FuzzMap(f *testing.F) {
	f.Add("a b\xffc")
	f.Fuzz(func(t *testing.T, text string) {
		got := Map(text, ".", func(rune) rune { return '_' })
		if text != "" && !Consists(got, "._") || strings.ContainsRune(got, '\ufffd') {
			t.Errorf("%q became %q", text, got)
		}
	})
}
