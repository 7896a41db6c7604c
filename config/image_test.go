// SPDX-License-Identifier: Apache-2.0

package config

import (
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/wellformed"
)

func TestParseDisk(t *testing.T) {
	cases := []struct {
		option string
		want   Disk
		err    string // part of the message
	}{
		{"db=/dev/vg/db", Disk{"db", "/dev/vg/db", FormatRaw}, ""},
		{"file:db=/images/db.raw", Disk{"db", "/images/db.raw", FormatRaw}, ""},
		{"db=/images/db.qcow2", Disk{"db", "/images/db.qcow2", FormatQCOW2}, ""},
		{"db=/images/db.vmdk", Disk{"db", "/images/db.vmdk", FormatRaw}, ""},
		{"d.1_a-b=/images/a=b,format=qcow2", Disk{"d.1_a-b", "/images/a=b", FormatQCOW2}, ""},
		{"db=/images/x,format=raw,format=raw", Disk{"db", "/images/x,format=raw", FormatRaw}, ""},
		{"", Disk{}, "TAG=PATH"},
		{"db", Disk{}, "TAG=PATH"},
		{"db=", Disk{}, "TAG=PATH"},
		{"db=/", Disk{}, "TAG=PATH"},
		{"db=disk.raw", Disk{}, "TAG=PATH"},
		{"db=/images/../db.raw", Disk{}, "TAG=PATH"},
		{"db=/images/db.raw,format=vmdk", Disk{}, "TAG=PATH"},
		{"=/dev/sdb", Disk{}, `tag ""`},
		{"a/b=/dev/sdb", Disk{}, `tag "a/b"`},
		{"..=/dev/sdb", Disk{}, `tag ".."`},
		{"a..b=/dev/sdb", Disk{}, `tag "a..b"`},
		{"a b=/dev/sdb", Disk{}, `tag "a b"`},
		{"-a=/dev/sdb", Disk{}, `tag "-a"`},
		{"block:db=/dev/sdb", Disk{}, `tag "block:db"`},
	}
	for _, c := range cases {
		got, err := ParseDisk(c.option)
		if got != c.want || !complains(err, c.err) {
			t.Errorf("%q: got %+v, %v; want %+v, %s", c.option, got, err, c.want, c.err)
		}
		if again, err := ParseDisk(got.String()); c.err == "" && (err != nil || again != got) {
			t.Errorf("%q is written as %q and read back as %+v, %v", c.option, got, again, err)
		}
	}
}

// FuzzDisk: what is read is written so that it reads as the same, and its tag is a mere name.
func FuzzDisk(f *testing.F) {
	for _, text := range []string{"db=/dev/sdb", "file:db=/x.qcow2", "d=/a,format=raw,format=qcow2", "a/b=/c",
		"=,format="} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDisk(text)
		if err != nil {
			return
		}
		if !wellformed.IsName(d.Tag) || CheckPath(d.Source) != nil {
			t.Errorf("%q is read as %+v", text, d)
		}
		if again, err := ParseDisk(d.String()); err != nil || again != d {
			t.Errorf("%+v is written as %q and read back as %+v, %v", d, d, again, err)
		}
	})
}

// FuzzMount: what is read is written so that it reads as the same, and goes nowhere but to clean absolute paths.
func FuzzMount(f *testing.F) {
	for _, text := range []string{"host-bind:/srv=/data", "host-image:/srv=/a,format=qcow2", "guest-bind:/srv/a=/var/b",
		"ram:/srv=1M", "host-image:/srv=,format=raw"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMount(text)
		if err != nil {
			return
		}
		if CheckPath(m.Target) != nil || m.Kind != MountRAM && CheckPath(m.Source) != nil {
			t.Errorf("%q is read as %+v", text, m)
		}
		if again, err := ParseMount(string(m.Kind) + ":" + m.value()); err != nil || again != m {
			t.Errorf("%+v is written as %q and read back as %+v, %v", m, m.value(), again, err)
		}
	})
}
