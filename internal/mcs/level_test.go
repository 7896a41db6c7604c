// SPDX-License-Identifier: Apache-2.0

package mcs

import (
	"strings"
	"testing"
)

// TestParse gives the text of each level as the kernel would print it; "" where Parse refuses, for the reason named.
func TestParse(t *testing.T) {
	cases := []struct{ text, want, reason string }{
		{text: "s0", want: "s0"},
		{text: "s0:c0", want: "s0:c0"},
		{text: "s0:c1023", want: "s0:c1023"},
		{text: "s0:c1,c2", want: "s0:c1,c2"},
		{text: "s0:c2,c1", want: "s0:c1,c2"},
		{text: "s0:c7,c7", want: "s0:c7"},
		{text: "s0:c0.c1", want: "s0:c0,c1"},
		{text: "s0:c1,c2,c3", want: "s0:c1.c3"},
		{text: "s0:c0.c3,c7", want: "s0:c0.c3,c7"},
		{text: "s0:c0.c5,c3.c9,c4", want: "s0:c0.c9"},
		{text: "s0:c0.c1023", want: "s0:c0.c1023"},
		{text: "s0:c1,c3,c5.c7,c9,c10", want: "s0:c1,c3,c5.c7,c9,c10"},

		{text: "", reason: `sensitivity "" is not s0`},
		{text: "s1", reason: `sensitivity "s1" is not s0`},
		{text: "S0", reason: `sensitivity "S0" is not s0`},
		{text: " s0", reason: `sensitivity " s0" is not s0`},
		{text: "s0-s0:c1", reason: `sensitivity "s0-s0" is not s0`},
		{text: "s0:", reason: `"" is not a category`},
		{text: "s0:c", reason: `"c" is not a category`},
		{text: "s0:1", reason: `"1" is not a category`},
		{text: "s0:c01", reason: `"c01" is not a category`},
		{text: "s0:c-1", reason: `"c-1" is not a category`},
		{text: "s0:c-0", reason: `"c-0" is not a category`},
		{text: "s0:c+1", reason: `"c+1" is not a category`},
		{text: "s0:c1,,c2", reason: `"" is not a category`},
		{text: "s0:c1,", reason: `"" is not a category`},
		{text: "s0:c1, c2", reason: `" c2" is not a category`},
		{text: "s0:c1\n", reason: "is not a category"},
		{text: "s0:c1.", reason: `"" is not a category`},
		{text: "s0:c1.c2.c3", reason: `"c2.c3" is not a category`},
		{text: "s0:c1:c2", reason: `"c1:c2" is not a category`},
		{text: "s0:c99999999999999999999", reason: "is not a category"},
		{text: "s0:c1024", reason: "category c1024 is above c1023"},
		{text: "s0:c0.c1024", reason: "category c1024 is above c1023"},
		{text: "s0:c1.c0", reason: "range c1.c0 does not ascend"},
		{text: "s0:c1.c1", reason: "range c1.c1 does not ascend"},
	}
	for _, c := range cases {
		level, err := Parse(c.text)
		if c.reason != "" {
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%q: got %s, %v; want %s", c.text, level, err, c.reason)
			}
			continue
		}
		if err != nil || level.String() != c.want {
			t.Errorf("%q: got %s, %v; want %s", c.text, level, err, c.want)
		}
	}
}

// TestReaches: both orders give the same answer.
func TestReaches(t *testing.T) {
	cases := []struct {
		one, other string
		want       bool
	}{
		{"s0:c1,c2", "s0:c1,c2", true},
		{"s0:c1,c2", "s0:c1,c3", false},
		{"s0:c1,c2", "s0:c3,c4", false},
		{"s0:c1,c2", "s0:c1", true},
		{"s0:c1,c2", "s0:c3", false},
		{"s0:c1,c2", "s0:c0.c1023", true},
		{"s0:c1,c2", "s0:c1,c3.c9", false},
		{"s0:c63,c64", "s0:c64", true},
		{"s0:c1,c2", "s0", true},
		{"s0", "s0", true},
	}
	for _, c := range cases {
		one, other := level(t, c.one), level(t, c.other)
		if one.Comparable(other) != c.want || other.Comparable(one) != c.want {
			t.Errorf("%s and %s: got %t and %t, want %t", one, other, one.Comparable(other), other.Comparable(one), c.want)
		}
	}
}

// TestOfContext gives the level, "" where there is no single one.
func TestOfContext(t *testing.T) {
	cases := []struct{ context, want string }{
		{"system_u:system_r:container_t:s0:c1,c2", "s0:c1,c2"},
		{"system_u:system_r:svirt_t:s0:c1-s0:c1", "s0:c1"},
		{"system_u:system_r:kernel_t:s0", "s0"},
		{"unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023", ""},
		{"system_u:system_r:auditd_t:s15:c0.c1023", ""},
		{"docker-default (enforce)", ""},
		{"unconfined", ""},
		{"", ""},
		{"a:b:c", ""},
		{"a:b:c:d", ""},
	}
	for _, c := range cases {
		got, err := OfContext(c.context)
		if (err == nil) != (c.want != "") || (err == nil && got.String() != c.want) {
			t.Errorf("%q: got %s, %v; want %q", c.context, got, err, c.want)
		}
	}
}

func TestRunsMakeTheLevelAgain(t *testing.T) {
	for _, text := range []string{"s0", "s0:c0", "s0:c1023", "s0:c0.c1023", "s0:c62.c65,c127,c128"} {
		var again Level
		for _, run := range level(t, text).Runs() {
			again = again.With(run)
		}
		if again != level(t, text) {
			t.Errorf("%s became %s", text, again)
		}
	}
}

// FuzzParse: what Parse takes, String writes in a form of its own that means the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"s0", "s0:c1", "s0:c1,c2", "s0:c0.c1023", "s0:c3,c0.c9,c3", "s1:c1", "s0:c01",
		"s0:c1.c0", "s0:,"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		level, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(level.String())
		if err != nil || again.String() != level.String() {
			t.Errorf("%q is written as %s, which reads as %s (%v)", text, level, again, err)
		}
	})
}

// FuzzOfContext: what is a context's level is a level of its own text.
func FuzzOfContext(f *testing.F) {
	for _, text := range []string{"u:r:t:s0:c1,c2", "u:r:t:s0-s0:c0.c1023", "u:r:t:s0:c1-s0:c1", "unconfined", ":::"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := OfContext(text)
		if err != nil {
			return
		}
		if again, err := OfContext("u:r:t:" + got.String()); err != nil || again != got {
			t.Errorf("%q has the level %s, which reads as %s (%v)", text, got, again, err)
		}
	})
}

func level(t *testing.T, text string) Level {
	t.Helper()
	l, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
