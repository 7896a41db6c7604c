// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

// person is a config as somebody keeps it by hand.
const person = `# The web server of the shop.
[sandbox]
  name = web # of the shop, and no comment
format=1
; pinned by ops
unit=httpd.service

# Extra modules:
package=mod_ssl
# (for the shop)
package=php-fpm

[command]
argument=run
argument=--fast
argument=now
`

// TestMergeKeepsWhatAPersonWrote names, for each change of values, the lines of the text above that are replaced and
// what replaces them; everything else stays as it is.
func TestMergeKeepsWhatAPersonWrote(t *testing.T) {
	unchanged := []entry{
		{Section: "sandbox", Key: "format", Value: "1"},
		{Section: "sandbox", Key: "name", Value: "web # of the shop, and no comment"},
		{Section: "sandbox", Key: "unit", Value: "httpd.service"},
		{Section: "sandbox", Key: "package", Value: "mod_ssl"},
		{Section: "sandbox", Key: "package", Value: "php-fpm"},
		{Section: "command", Key: "argument", Value: "run"},
		{Section: "command", Key: "argument", Value: "--fast"},
		{Section: "command", Key: "argument", Value: "now"},
	}
	without := func(gone ...string) []entry {
		var rest []entry
		for _, e := range unchanged {
			if !strings.Contains(strings.Join(gone, "\n"), e.Value) {
				rest = append(rest, e)
			}
		}
		return rest
	}
	sandbox := func(key, value string) entry { return entry{Section: "sandbox", Key: key, Value: value} }
	argument := func(value string) entry { return entry{Section: "command", Key: "argument", Value: value} }
	cases := []struct {
		name    string
		entries []entry
		replace string
		by      string
	}{
		{"nothing changed", unchanged, "", ""},
		{"changed in place", append(without("httpd.service"), sandbox("unit", "nginx.service")),
			"unit=httpd.service\n", "unit=nginx.service\n"},
		{"quoted where need be", append(without("httpd.service"), sandbox("unit", " x ")),
			"unit=httpd.service\n", "unit=\" x \"\n"},
		{"new key at the end of its section", append(without(), sandbox("copy", "yes")),
			"package=php-fpm\n", "package=php-fpm\ncopy=yes\n"},
		{"new value of a list after the others", append(without(), sandbox("package", "mod_wsgi")),
			"package=php-fpm\n", "package=php-fpm\npackage=mod_wsgi\n"},
		{"gone", without("httpd.service"),
			"unit=httpd.service\n", ""},
		{"gone from a list", without("mod_ssl"),
			"package=mod_ssl\n", ""},
		{"one of a list changed", append(without("php-fpm"), sandbox("package", "perl")),
			"package=php-fpm\n", "package=perl\n"},
		{"order of a list changed", append(without("--fast", "now"), argument("now"), argument("--fast")),
			"argument=--fast\nargument=now\n", "argument=now\nargument=--fast\n"},
		{"inserted into a list", append(without("--fast", "now"), argument("--slow"), argument("--fast"), argument("now")),
			"argument=--fast\nargument=now\n", "argument=--slow\nargument=--fast\nargument=now\n"},
		{"new section at the end", append(without(), entry{Section: "network", Key: "mode", Value: "host"}),
			"argument=now\n", "argument=now\n\n[network]\nmode=host\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			lines, err := parseLines("web", person)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(person, c.replace, c.by, 1)
			if got := textmerge.Merge(lines, c.entries, EntryText); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestMergeIntoASectionThatComesTwice(t *testing.T) {
	lines, err := parseLines("web", "[a]\nx=1\n[b]\ny=1\n[a]\n# second\nx=2\nz=1\n")
	if err != nil {
		t.Fatal(err)
	}
	got := textmerge.Merge(lines, []entry{
		{Section: "a", Key: "x", Value: "1"},
		{Section: "a", Key: "x", Value: "2"},
		{Section: "a", Key: "z", Value: "9"},
		{Section: "b", Key: "y", Value: "1"},
	}, EntryText)
	if want := "[a]\nx=1\nx=2\nz=9\n[b]\ny=1\n[a]\n# second\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestQuote(t *testing.T) {
	cases := []struct{ value, want string }{
		{"", `""`},
		{"plain", "plain"},
		{"two words", "two words"},
		{`in "the" middle`, `in "the" middle`},
		{`"at the start`, `"\"at the start"`},
		{`back\slash`, `back\slash`},
		{" blank before", `" blank before"`},
		{"blank after ", `"blank after "`},
		{"\u00a0wide blank", `"\u00a0wide blank"`},
		{"a\nb", `"a\nb"`},
		{"a\tb", `"a\tb"`},
		{"a\x00b", `"a\x00b"`},
		{"not UTF-8 \xff", `"not UTF-8 \xff"`},
		{"replaced \ufffd", `"replaced \ufffd"`},
		{"grüß dich", "grüß dich"},
		{"# no comment", "# no comment"},
		{"[no section]", "[no section]"},
	}
	for _, c := range cases {
		t.Run(c.value, func(t *testing.T) {
			if got := textmerge.Quote(c.value); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if back, err := readBack(c.value); err != nil || back != c.value {
				t.Errorf("read back as %q (%v)", back, err)
			}
		})
	}
}

// readBack writes a value as merge does and reads it as Parse does.
func readBack(value string) (string, error) {
	lines, err := parseLines("x", "[section]\nkey="+textmerge.Quote(value)+"\n")
	if err != nil {
		return "", err
	}
	return lines[1].Entry.Value, nil
}
