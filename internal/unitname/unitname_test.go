// SPDX-License-Identifier: Apache-2.0

package unitname

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("x", MaxLength-len(".service"))
	for _, c := range []struct {
		text, prefix, instance string
		kind                   Type
		template, isInstance   bool
	}{
		{"httpd.service", "httpd", "", Service, false, false},
		{"getty@.service", "getty", "", Service, true, false},
		{"getty@tty1.service", "getty", "tty1", Service, false, true},
		{"a.b.socket", "a.b", "", Socket, false, false},
		{"foo@bar.baz.timer", "foo", "bar.baz", Timer, false, true},
		{"foo@.hidden.path", "foo", ".hidden", Path, false, true},
		{"foo@a@b.service", "foo", "a@b", Service, false, true},
		{"foo@@.service", "foo", "@", Service, false, true},
		{`dev-disk-by\x2duuid.mount`, `dev-disk-by\x2duuid`, "", Mount, false, false},
		{"-.slice", "-", "", "slice", false, false},
		{"..service", ".", "", Service, false, false},
		{long + ".service", long, "", Service, false, false},
	} {
		n, err := Parse(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if n.Prefix() != c.prefix || n.Instance() != c.instance || n.Type() != c.kind || n.IsTemplate() != c.template ||
			n.IsInstance() != c.isInstance || n.String() != c.text {
			t.Errorf("%s became %+v", c.text, n)
		}
	}
	for _, text := range []string{
		"", "httpd", ".service", "@.service", "@a.service", "httpd.conf", "httpd.", "a b.service", "a/b.service",
		"a\n.service",
		"grüß.service", "foo@a/b.service", "foo@a b.service", "a.service@", "x" + long + ".service",
	} {
		if n, err := Parse(text); err == nil {
			t.Errorf("%q became %+v", text, n)
		}
	}
}

func TestInstantiate(t *testing.T) {
	for _, c := range []struct{ text, template, instantiated string }{
		{"foo.service", "", "foo.service"},
		{"foo@.service", "foo@.service", "foo@new.service"},
		{"foo@old.socket", "foo@.socket", "foo@new.socket"},
	} {
		n, err := Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		template, ok := n.Template()
		if ok != (c.template != "") || ok && template.String() != c.template {
			t.Errorf("%s is made from %s, %v", c.text, template, ok)
		}
		if got := n.Instantiate("new").String(); got != c.instantiated {
			t.Errorf("%s: got %s, want %s", c.text, got, c.instantiated)
		}
	}
	if got := Instance("httpd", "web").String(); got != "httpd@web.service" {
		t.Error(got)
	}
}

func TestComplete(t *testing.T) {
	for text, want := range map[string]string{
		"httpd": "httpd.service", "httpd.service": "httpd.service", "a.socket": "a.socket", "a.b": "a.b.service",
		"user.slice": "user.slice.service", "getty@": "getty@.service", "getty@tty1": "getty@tty1.service", "": ".service",
	} {
		if got := Complete(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

// FuzzParse: the parts of a name make the name, and none of them is more than it may be.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"httpd.service", "getty@tty1.service", "getty@.service", "a@b@c.socket", "..service",
		"@.mount", "a.b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := Parse(text)
		if err != nil {
			if n != (Name{}) {
				t.Errorf("%q became %+v and %v", text, n, err)
			}
			return
		}
		if n.String() != text || len(text) > MaxLength || strings.ContainsAny(text, "/\x00\n ") || n.Prefix() == "" {
			t.Errorf("%q became %+v", text, n)
		}
		if strings.Contains(n.Prefix(), "@") || n.IsTemplate() && n.IsInstance() {
			t.Errorf("%q has the prefix %q", text, n.Prefix())
		}
		if template, ok := n.Template(); ok {
			if again, err := Parse(template.String()); len(text) < MaxLength &&
				(err != nil || again != template || !again.IsTemplate()) {
				t.Errorf("%q: template %s, %v", text, template, err)
			}
			if template.Instantiate(n.Instance()) != n {
				t.Errorf("%q is not the instance of its template", text)
			}
		}
	})
}

// TestDropInNames: a unit has the drop-ins of its template and of what its name begins with.
func TestDropInNames(t *testing.T) {
	for name, want := range map[string]string{
		"d.service":       "d.service",
		"a-b-c.service":   "a-b-c.service a-b-.service a-.service",
		"a-b@c-d.service": "a-b@c-d.service a-b@.service a-.service a-@c-d.service a-@.service",
		"a--b.service":    "a--b.service a--.service a-.service",
		"x-y-z@1.socket": "x-y-z@1.socket x-y-z@.socket x-y-.socket x-.socket x-y-@1.socket x-y-@.socket x-@1.socket " +
			"x-@.socket",
		"a-.socket":        "a-.socket",
		"-a.service":       "-a.service",
		"template@.target": "template@.target",
	} {
		unit, err := Parse(name)
		if got := strings.Join(unit.DropInNames(), " "); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", name, got, err, want)
		}
	}
}
