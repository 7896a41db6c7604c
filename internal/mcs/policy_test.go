// SPDX-License-Identifier: Apache-2.0

package mcs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestReadPolicy(t *testing.T) {
	const selinuxConfig = "# comment\nSELINUX=permissive\nSELINUXTYPE=targeted\n"
	cases := []struct {
		name           string
		files          map[string]string // below /etc/selinux
		granted, named string            // levels
		source         string
		fails          string
	}{
		{name: "no policy", granted: every, source: "every category that there is"},
		{
			name:    "a policy without files",
			files:   map[string]string{"config": selinuxConfig},
			granted: every,
			source:  "every category that there is",
		},
		{
			name: "as distributions ship it",
			files: map[string]string{
				"config":           selinuxConfig,
				"targeted/seusers": "root:unconfined_u:s0-s0:c0.c1023\n__default__:unconfined_u:s0-s0:c0.c1023\n",
				"targeted/setrans.conf": "# s0:c0=CompanyConfidential\ns0=SystemLow\ns0-s0:c0.c1023=SystemLow-SystemHigh\n" +
					"s0:c0.c1023=SystemHigh\n",
			},
			granted: every, source: "__default__ in /etc/selinux/targeted/seusers",
		},
		{
			name: "of an administrator",
			files: map[string]string{
				"config":                selinuxConfig,
				"targeted/seusers":      "__default__:user_u:s0\nsystem_u:system_u:s0-s0:c100.c199\n",
				"targeted/setrans.conf": "s0:c100,c101 = CompanyConfidential\ns0:c150=Payroll\ns0:c100.c199=All\n",
			},
			granted: "s0:c100.c199", named: "s0:c100,c101 s0:c150", source: "system_u in /etc/selinux/targeted/seusers",
		},
		{
			name:  "a range that cannot be read",
			files: map[string]string{"config": selinuxConfig, "targeted/seusers": "\n__default__:user_u:s0-s0:c1.c0\n"},
			fails: `/etc/selinux/targeted/seusers:2: range "s0-s0:c1.c0" of __default__: range c1.c0 does not ascend`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			for name, text := range c.files {
				file := filepath.Join(root, "etc/selinux", name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			p, err := ReadPolicy(root)
			if c.fails != "" {
				if err == nil || err.Error() != c.fails {
					t.Errorf("got %+v, %v; want %s", p, err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if p.Range != level(t, c.granted) || texts(p.Named) != c.named || p.Source != c.source {
				t.Errorf(
					"got %s, named %s, from %s; want %s, named %s, from %s",
					p.Range,
					texts(p.Named),
					p.Source,
					c.granted,
					c.named,
					c.source,
				)
			}
		})
	}
}

func TestParsePolicyType(t *testing.T) {
	cases := []struct{ text, want string }{
		{"", ""},
		{"SELINUX=enforcing\n", ""},
		{"SELINUXTYPE=targeted", "targeted"},
		{"  SELINUXTYPE=\"mls\" \n", "mls"},
		{"#SELINUXTYPE=targeted\n;SELINUXTYPE=x\n", ""},
		{"SELINUXTYPE=a\nSELINUXTYPE=b\n", "b"},
		{"SELINUXTYPE=../../tmp\n", ""},
		{"SELINUXTYPE=..\n", ""},
	}
	for _, c := range cases {
		if got := parsePolicyType(c.text); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

func TestParseSEUsers(t *testing.T) {
	cases := []struct{ text, login, granted, reason string }{
		{text: ""},
		{text: "# system_u:system_u:s0-s0:c0.c3\n"},
		{text: "root:root:s0-s0:c0.c9\n"},
		{text: "__default__:user_u:s0-s0:c0.c9\n", login: "__default__", granted: "s0:c0.c9"},
		{text: "__default__:user_u:s0-s0:c0.c9\nsystem_u:system_u:s0-s0:c0.c3\n", login: "system_u", granted: "s0:c0.c3"},
		{text: "system_u:system_u:s0-s0:c0.c3\n__default__:user_u:s0-s0:c0.c9\n", login: "system_u", granted: "s0:c0.c3"},
		{text: "  system_u:system_u:s0:c4,c5\r\n", login: "system_u", granted: "s0:c4,c5"},
		{text: "system_u:system_u:s0-s15:c0.c255\n", login: "system_u", granted: "s0:c0.c255"},
		{text: "system_u:system_u:s0-s0\n", login: "system_u", granted: "s0"},
		{text: "__default__:user_u:s0\n"},
		{text: "system_u:system_u\n"},
		{text: "%wheel:staff_u:s0-s0:c0.c9\n"},
		{text: "system_u:system_u:s0-s0:c0.c1024\n", reason: `1: range "s0-s0:c0.c1024" of system_u: category c1024 is ` +
			`above c1023`},
		{text: "\n__default__:user_u:s0-SystemHigh:\n", reason: `2: range "s0-SystemHigh:" of __default__: "" is not a ` +
			`category such as c42`},
	}
	for _, c := range cases {
		login, granted, err := parseSEUsers(c.text)
		if c.reason != "" {
			if err == nil || err.Error() != c.reason {
				t.Errorf("%q: got %s %s, %v; want %s", c.text, login, granted, err, c.reason)
			}
			continue
		}
		if c.granted == "" {
			c.granted = "s0"
		}
		if err != nil || login != c.login || granted != level(t, c.granted) {
			t.Errorf("%q: got %q %s, %v; want %q %s", c.text, login, granted, err, c.login, c.granted)
		}
	}
}

func TestParseSetrans(t *testing.T) {
	cases := []struct{ text, want string }{
		{"", ""},
		{"s0:c1,c2=CompanyConfidential", "s0:c1,c2"},
		{" s0:c5 = Secret \r\ns0:c1.c3=Team=A\n", "s0:c5 s0:c1.c3"},
		{"s0=SystemLow\ns0-s0:c0.c1023=SystemLow-SystemHigh\n", ""},
		{"#s0:c1=x\n;s0:c2=x\n", ""},
		{"disable=1\nDomain=a\nInclude=/etc/x\ns15:c1=y\nc1=word\ns0:c1024=z\ns0:c1\n", ""},
	}
	for _, c := range cases {
		if got := texts(parseSetrans(c.text)); got != c.want {
			t.Errorf("%q: got %s, want %s", c.text, got, c.want)
		}
	}
}

func FuzzParsePolicyType(f *testing.F) {
	for _, text := range []string{"SELINUXTYPE=targeted\n", "SELINUXTYPE=\"a/b\"", "# x\nSELINUXTYPE = x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if name := parsePolicyType(text); name != "" && filepath.Join("/etc/selinux", name) != "/etc/selinux/"+name {
			t.Errorf("%q: %q leads out of /etc/selinux", text, name)
		}
	})
}

func FuzzParseSEUsers(f *testing.F) {
	for _, text := range []string{"system_u:system_u:s0-s0:c0.c3\n", "__default__:user_u:s0\n", "a:b:c:d",
		"system_u::s0:c1-"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		login, granted, err := parseSEUsers(text)
		if (login == "" || err != nil) && granted != (Level{}) {
			t.Errorf("%q: %q, %v, yet %s", text, login, err, granted)
		}
		if !slices.Contains([]string{"", "system_u", "__default__"}, login) {
			t.Errorf("%q: login %q", text, login)
		}
	})
}

func FuzzParseSetrans(f *testing.F) {
	for _, text := range []string{"s0:c1,c2=A\n", "s0=SystemLow", "s0-s0:c0.c1023=B", "=\n=="} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, named := range parseSetrans(text) {
			if named.Count() == 0 {
				t.Errorf("%q names a level without categories", text)
			}
		}
	})
}

func texts(levels []Level) string {
	var list []string
	for _, l := range levels {
		list = append(list, l.String())
	}
	return strings.Join(list, " ")
}
