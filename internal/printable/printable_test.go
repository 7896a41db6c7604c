// SPDX-License-Identifier: Apache-2.0

package printable

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"empty", "", ""},
		{"text", "Started Apache.\n", "Started Apache.\n"},
		{"tab", "a\tb", "a\tb"},
		{"terminal's end of line", "a\r\nb\r\n", "a\nb\n"},
		{"not ASCII", "grüß dich ✓", "grüß dich ✓"},
		{"escape sequence", "\x1b]0;title\a\x1b[2J", "?]0;title??[2J"},
		{"backspace over what was said", "ok\b\bno", "ok??no"},
		{"null and delete", "a\x00b\x7f", "a?b?"},
		{"C1 control", "\u009b31mred\u0085", "?31mred?"},
		{"C1 control that is not UTF-8", "\x9b31m", "\ufffd31m"},
		{"half a character", "a\xc3", "a\ufffd"},
		{"first after the controls", "\u00a0", "\u00a0"},
		{"another order", "a\u202eb\u2066c\u2028", "a?b?c?"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := Text(c.text); got != c.want {
				t.Errorf("%q: got %q, want %q", c.text, got, c.want)
			}
		})
	}
}

func TestLine(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "one two": "one two", "a\r\n\tb": "a???b", "\x1b[2J": "?[2J", "\u009b": "?", "\x7f": "?", "grüß": "grüß",
		"a\xc3": "a\ufffd",
	} {
		if got := Line(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	for _, c := range []struct {
		text  string
		bytes int
		want  string
	}{
		{"", 3, ""}, {"abc", 3, "abc"}, {"abcd", 3, "…"}, {"abcdef", 5, "ab…"}, {"a\nb", 3, "a?b"}, {"a\xff", 4, "a\ufffd"},
		{"\xff\xff\xff", 5, "…"}, {"grüß dich", 6, "gr…"}, {"grüß", 6, "grüß"}, {strings.Repeat("x", 9), 8, "xxxxx…"},
	} {
		if got := Short(c.text, c.bytes); got != c.want {
			t.Errorf("%q in %d: got %q, want %q", c.text, c.bytes, got, c.want)
		}
	}
}

func TestQuoted(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "/etc/a b": "/etc/a b", "/grüß": "/grüß", "a\nb": `"a\nb"`, `a"b`: `"a\"b"`, `a\b`: `"a\\b"`,
		"\xff": `"\xff"`, "\u202e": `"\u202e"`,
	} {
		if got := Quoted(name); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

// FuzzPrintable: no form has a control character but those that it keeps, and what is harmless stays as it is.
func FuzzPrintable(f *testing.F) {
	for _, text := range []string{"a\r\nb", "\x1b]0;x\a", "\u009b", "\xc3", "\u202e", "plain"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := Line(text); strings.ContainsFunc(got, isControl) || !utf8.ValidString(got) || Line(got) != got {
			t.Errorf("the line of %q is %q", text, got)
		}
		got := Text(text)
		kept := func(r rune) bool { return isControl(r) && r != '\n' && r != '\t' }
		if strings.ContainsFunc(got, kept) || !utf8.ValidString(got) || Text(got) != got {
			t.Errorf("the text of %q is %q", text, got)
		}
		if string(Bytes([]byte(text))) != got {
			t.Errorf("the bytes of %q differ from its text", text)
		}
		if got := Short(text, 8); len(got) > 8 || !utf8.ValidString(got) || Line(got) != got {
			t.Errorf("%q is shortened to %q", text, got)
		}
		if got := Quoted(text); strings.ContainsFunc(got, isControl) || !utf8.ValidString(got) {
			t.Errorf("%q is quoted as %q", text, got)
		}
	})
}
