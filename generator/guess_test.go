// SPDX-License-Identifier: Apache-2.0

package generator

import (
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/configtree"
)

// TestGuessHostUnit reads configs that cannot be parsed.
func TestGuessHostUnit(t *testing.T) {
	cases := []struct{ what, name, text, want string }{
		{"a wrong key after the unit", "web", "[sandbox]\nunit=httpd.service\ncolour=blue\n", "httpd@web.service"},
		{"blanks", "web", " [sandbox] \n unit = httpd.service \n", "httpd@web.service"},
		{"the first of several", "web", "[sandbox]\nunit=a.service\nunit=b.service\n", "a@web.service"},
		{"a wrong one first", "web", "[sandbox]\nunit=../../x\nunit=b.service\n", "b@web.service"},
		{"a command", "job", "[command]\nargument=/bin/true\nargument\n", "virt-sandbox@job.service"},
		{"in another section", "web", "[limits]\nunit=httpd.service\n", ""},
		{"the name of another file", "web", "[sandbox]\nname=db\nunit=httpd.service\n", "httpd@web.service"},
		{"empty", "web", "", ""},
		{"no text", "web", "\x7fELF\x00\x00", ""},
		{"name of no sandbox", "we b", "[sandbox]\nunit=httpd.service\n", ""},
	}
	for _, c := range cases {
		if got := guessHostUnit(c.name, configtree.File{Text: c.text}); got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, got, c.want)
		}
	}
}
