// SPDX-License-Identifier: Apache-2.0

package config

import (
	"slices"
	"testing"
)

func TestParseCapabilities(t *testing.T) {
	cases := []struct {
		text string
		want Names
		back string // what String gives; "" for text
		err  string
	}{
		{text: "auto", want: Names{Base: NamesAuto}},
		{text: "all", want: Names{Base: NamesAll}},
		{
			text: "auto +CAP_SYS_NICE -CAP_NET_RAW",
			want: Names{Base: NamesAuto, Add: []string{"CAP_SYS_NICE"}, Drop: []string{"CAP_NET_RAW"}},
		},
		{
			text: "all -CAP_KILL +CAP_MKNOD",
			want: Names{Base: NamesAll, Add: []string{"CAP_MKNOD"}, Drop: []string{"CAP_KILL"}},
			back: "all +CAP_MKNOD -CAP_KILL",
		},
		{
			text: " CAP_KILL\tCAP_SYS_ADMIN ",
			want: Names{Add: []string{"CAP_KILL", "CAP_SYS_ADMIN"}},
			back: "CAP_KILL CAP_SYS_ADMIN",
		},
		{text: "", err: "is not auto or all"},
		{text: "auto CAP_KILL", err: "is not auto or all"},
		{text: "+CAP_KILL", err: `"+CAP_KILL" is not a capability`},
		{text: "auto +", err: `"" is not a capability`},
		{text: "auto auto", err: "is not auto or all"},
		{text: "AUTO", err: `"AUTO" is not a capability`},
		{text: "CAP_NET_RAW auto", err: `"auto" is not a capability`},
		{text: "auto +KILL", err: `"KILL" is not a capability`},
		{text: "auto -CAP_BPF", err: `"CAP_BPF" is not a capability`},
		{text: "CAP_KILL CAP_KILL", err: "given twice"},
		{text: "auto +CAP_KILL -CAP_KILL", err: "given twice"},
		{text: "auto -CAP_SYS_ADMIN", want: Names{Base: NamesAuto, Drop: []string{"CAP_SYS_ADMIN"}}},
	}
	for _, c := range cases {
		got, err := ParseCapabilities(c.text)
		if !complains(err, c.err) {
			t.Errorf("%q: got %v, want %s", c.text, err, c.err)
		}
		if err != nil {
			continue
		}
		if c.back == "" {
			c.back = c.text
		}
		if got.Base != c.want.Base || !slices.Equal(got.Add, c.want.Add) || !slices.Equal(got.Drop, c.want.Drop) ||
			got.String() != c.back {
			t.Errorf("%q: got %+v (%s), want %+v", c.text, got, got, c.want)
		}
	}
}

// FuzzCapabilities: whatever parses is read back as the same.
func FuzzCapabilities(f *testing.F) {
	for _, text := range []string{"auto", "all -CAP_MKNOD", "auto +CAP_KILL -CAP_NET_RAW", "CAP_SYS_ADMIN CAP_KILL",
		"+", "-", " "} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCapabilities(text)
		if err != nil {
			return
		}
		again, err := ParseCapabilities(c.String())
		if err != nil || again.String() != c.String() || again.Base != c.Base {
			t.Errorf("%q is written as %q and read as %+v (%v)", text, c, again, err)
		}
	})
}

// Names of system calls are taken by their form; what no kernel has is found where the filter is made.
func TestParseSystemCalls(t *testing.T) {
	for text, ok := range map[string]bool{
		"auto": true, "all -keyctl": true, "auto +_llseek +clone3": true, "read write": true,
		"": false, "auto +Keyctl": false, "auto +1": false, "auto +a-b": false, "keyctl auto": true,
	} {
		names, err := ParseSystemCalls(text)
		if (err == nil) != ok {
			t.Errorf("%q: got %v", text, err)
		}
		if err == nil && names.String() != text {
			t.Errorf("%q is written as %q", text, names)
		}
	}
}
