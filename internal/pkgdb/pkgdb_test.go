// SPDX-License-Identifier: Apache-2.0

package pkgdb

import (
	"slices"
	"testing"
)

// TestSpellings: what the merge of /usr made one file may be recorded under any of its names.
func TestSpellings(t *testing.T) {
	cases := []struct {
		path string
		want []string
	}{
		{"/etc/passwd", []string{"/etc/passwd"}},
		{"/usr/share/doc", []string{"/usr/share/doc"}},
		{"/usr/lib/systemd/system/d.service", []string{"/usr/lib/systemd/system/d.service", "/lib/systemd/system/d.service"}},
		{"/lib/systemd/system/d.service", []string{"/lib/systemd/system/d.service", "/usr/lib/systemd/system/d.service"}},
		{"/lib64/libc.so", []string{"/lib64/libc.so", "/usr/lib64/libc.so"}},
		{"/sbin/d", []string{"/sbin/d", "/usr/sbin/d", "/usr/bin/d", "/bin/d"}},
		{"/usr/bin/d", []string{"/usr/bin/d", "/bin/d", "/usr/sbin/d", "/sbin/d"}},
		{"/usr/local/bin/d", []string{"/usr/local/bin/d"}},
		{"/library/d", []string{"/library/d"}},
		{"/usr/bin", []string{"/usr/bin"}},
		{"/bin", []string{"/bin"}},
		{"/", []string{"/"}},
		{"/usr//lib/../lib/d", []string{"/usr/lib/d", "/lib/d"}},
	}
	for _, c := range cases {
		if got := Spellings(c.path); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.path, got, c.want)
		}
	}
}

func TestBelow(t *testing.T) {
	p := &Package{Name: "d"}
	for _, file := range []string{"/etc", "/etc/d", "/etcetera", "/var/d", "/usr/etc/d"} {
		p.Files = append(p.Files, File{Path: file})
	}
	var got []string
	for _, f := range p.Below("/etc", "/var") {
		got = append(got, f.Path)
	}
	if want := []string{"/etc", "/etc/d", "/var/d"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
