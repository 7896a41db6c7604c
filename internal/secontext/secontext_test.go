// SPDX-License-Identifier: Apache-2.0

package secontext

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Context{
		"system_u:system_r:container_t:s0:c1,c2": {"system_u", "system_r", "container_t", "s0:c1,c2"},
		"unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023": {"unconfined_u", "unconfined_r", "unconfined_t",
			"s0-s0:c0.c1023"},
		"u:r:t:s0":          {"u", "r", "t", "s0"},
		"_u:r.a-b:t_1:s0:":  {"_u", "r.a-b", "t_1", "s0:"},
		"":                  {},
		"kernel":            {},
		"u:r:t":             {}, // of a policy without levels
		"u:r:t:":            {},
		"u::t:s0":           {},
		":r:t:s0":           {},
		"u:r: :s0":          {},
		"1:r:t:s0":          {},
		"-:r:t:s0":          {},
		"u\n:r:t:s0":        {},
		"+107:+107":         {},
		"libvirt-0a1b/x:::": {},
	} {
		got, err := Parse(text)
		if got != want || (err == nil) != (want != Context{}) {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
		if err == nil && got.String() != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestParts(t *testing.T) {
	c := Context{"u", "r", "t", "s0:c1"}
	for _, changed := range []struct {
		got  Context
		want string
	}{
		{c.WithType("x"), "u:r:x:s0:c1"},
		{c.WithLevel("s0"), "u:r:t:s0"},
		{c.File("f"), "system_u:object_r:f:s0:c1"},
		{c, "u:r:t:s0:c1"},
	} {
		if got := changed.got.String(); got != changed.want {
			t.Errorf("got %s, want %s", got, changed.want)
		}
	}
}

func TestSameButUser(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"u:r:t:s0:c1", "u:r:t:s0:c1", true},
		{"u:r:t:s0:c1", "v:r:t:s0:c1", true},
		{"u:r:t:s0:c1", "u:r:t:s0:c2", false},
		{"u:r:t:s0:c1", "u:r:x:s0:c1", false},
		{"u:r:t:s0:c1", "u:x:t:s0:c1", false},
		{"u:r:t:s0", "", false},
		{"", "u:r:t:s0", false},
		{"u:r:t", "v:r:t", false},
	} {
		if got := SameButUser(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: got %v", c.a, c.b, got)
		}
	}
}

// FuzzParse: the parts of a context make the context, and only the level can have a colon.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"system_u:system_r:container_t:s0:c1,c2", "u:r:t:s0-s0:c1", "u:r:t", "", ":::",
		"u:r:t:"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			if c != (Context{}) {
				t.Errorf("%q became %+v and %v", text, c, err)
			}
			return
		}
		if c.String() != text || c.Level == "" || strings.Contains(c.User+c.Role+c.Type, ":") {
			t.Errorf("%q became %+v", text, c)
		}
		if again, err := Parse(c.WithLevel("s0").String()); err != nil || again.WithLevel(c.Level) != c {
			t.Errorf("%q with another level became %+v, %v", text, again, err)
		}
		if !SameButUser(text, text) || !SameButUser(text, "x:"+c.Role+":"+c.Type+":"+c.Level) {
			t.Errorf("%q is not itself of another user", text)
		}
	})
}
