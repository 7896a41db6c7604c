// SPDX-License-Identifier: Apache-2.0

package config

import (
	"math"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
)

func TestCheckName(t *testing.T) {
	cases := []struct {
		name string
		ok   bool
	}{
		{"web", true}, {"Web_1.example-com", true}, {"0", true}, {"a.", true},
		{strings.Repeat("a", 63), true}, {strings.Repeat("a", 64), false}, {strings.Repeat("a", 65), false},
		{"", false}, {".", false}, {"..", false}, {".hidden", false}, {"-option", false}, {"_under", false},
		{"a/b", false}, {"../etc", false}, {"a..b", false}, {"a..", false},
		{"a\n", false}, {"a\nb", false}, {"a b", false}, {"a\x00", false}, {"grün", false},
		{`a\b`, false},
		{"web@1", true}, {"a-b@c.d", true},
		{"web@", false}, {"@a", false}, {"a@b@c", false}, {"a@-b", false}, {"a@.b", false},
		{"web@" + strings.Repeat("a", 59), true}, {"web@" + strings.Repeat("a", 60), false}, {"web@a..b", false},
	}
	for _, c := range cases {
		if err := CheckName(c.name); (err == nil) != c.ok {
			t.Errorf("%q: got %v, want ok=%t", c.name, err, c.ok)
		}
	}
}

func TestCheckPath(t *testing.T) {
	cases := []struct {
		path string
		ok   bool
	}{
		{"/", true}, {"/srv", true}, {"/srv/a b", true}, {"/srv/...", true}, {"/srv/ü", true}, {"/srv/#[=]\"", true},
		{"", false}, {"srv", false}, {"./srv", false}, {"/srv/", false}, {"//srv", false}, {"/srv//a", false},
		{"/srv/.", false}, {"/srv/..", false}, {"/../etc", false}, {"/srv/./a", false},
		{"/a\nb", false}, {"/a\x00", false}, {"/a\x7f", false}, {"/not UTF-8 \xff", false},
	}
	for _, c := range cases {
		if err := CheckPath(c.path); (err == nil) != c.ok {
			t.Errorf("%q: got %v, want ok=%t", c.path, err, c.ok)
		}
	}
}

func TestCheckUnit(t *testing.T) {
	cases := []struct {
		unit string
		ok   bool
	}{
		{"httpd.service", true}, {"getty@tty1.service", true}, {"a@b.c.service", true}, {`dev-disk\x2done.mount`, true},
		{"dbus-org.bluez.service", true}, {"x.socket", true}, {"x.target", true}, {"x.timer", true}, {"x.path", true},
		{strings.Repeat("a", 247) + ".service", true}, {strings.Repeat("a", 248) + ".service", false},
		{
			"",
			false,
		}, {"httpd", false}, {".service", false}, {"..service", false}, {"@x.service", false}, {"a@.service", false},
		{
			"a@b@c.service",
			false,
		}, {"user.slice", false}, {"a b.service", false}, {"a/b.service", false}, {"a.service\n", false},
	}
	for _, c := range cases {
		if err := CheckUnit(c.unit); (err == nil) != c.ok {
			t.Errorf("%q: got %v, want ok=%t", c.unit, err, c.ok)
		}
	}
}

func TestSize(t *testing.T) {
	cases := []struct {
		text string
		size Size
		back string // what String makes of it; "" where ParseSize refuses
	}{
		{"0", 0, "0"}, {"1", 1, "1"}, {"1023", 1023, "1023"}, {"1024", 1024, "1K"}, {"1K", 1024, "1K"},
		{"4000K", 4000 << 10, "4000K"}, {"512M", 512 << 20, "512M"}, {"2G", 2 << 30, "2G"}, {"1024G", 1 << 40, "1T"},
		{"9223372036854775807", math.MaxInt64, "9223372036854775807"}, {"8388607T", 8388607 << 40, "8388607T"},
		{"0G", 0, "0"}, {"007M", 7 << 20, "7M"},
		{
			text: "8388608T",
		}, {text: "9223372036854775808"}, {text: ""}, {text: "M"}, {text: "-1"}, {text: "+1"}, {text: "1.5G"},
		{text: "512m"}, {text: "512MB"}, {text: "1 M"}, {text: "1_000"}, {text: "0x10"}, {text: "1KM"},
	}
	for _, c := range cases {
		got, err := ParseSize(c.text)
		if (err == nil) != (c.back != "") || got != c.size {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", c.text, got, err, c.size)
			continue
		}
		if err == nil && got.String() != c.back {
			t.Errorf("%q is written as %s, want %s", c.text, got, c.back)
		}
		if again, err := ParseSize(c.back); c.back != "" && (err != nil || again != got) {
			t.Errorf("%q is read back as %d, %v", c.back, again, err)
		}
	}
}

func TestParseMount(t *testing.T) {
	image := func(target, source string, format ImageFormat) Mount {
		return Mount{Kind: MountHostImage, Target: target, Source: source, Format: format}
	}
	inside := func(target, source string) Mount { return Mount{Kind: MountGuestBind, Target: target, Source: source} }
	bind := func(target, source string) Mount { return Mount{Kind: MountHostBind, Target: target, Source: source} }
	cases := []struct {
		option string
		want   Mount
		err    string // part of the message
	}{
		{"host-bind:/srv=/data", bind("/srv", "/data"), ""},
		{"host-bind:/srv=/data/a=b", bind("/srv", "/data/a=b"), ""},
		{"host-bind:/srv/a b=/", bind("/srv/a b", "/"), ""},
		{"host-bind:/usr/local=/opt/local", bind("/usr/local", "/opt/local"), ""},
		{"ram:/scratch=10M", Mount{Kind: MountRAM, Target: "/scratch", Size: 10 << 20}, ""},
		{"host-image:/srv=/data.img", image("/srv", "/data.img", FormatRaw), ""},
		{"host-image:/srv=/data.qcow2", image("/srv", "/data.qcow2", FormatQCOW2), ""},
		{"host-image:/srv=/data.qcow2,format=raw", image("/srv", "/data.qcow2", FormatRaw), ""},
		{"host-image:/srv=/a,b=c.img,format=qcow2", image("/srv", "/a,b=c.img", FormatQCOW2), ""},
		{"guest-bind:/srv/www=/var/www", inside("/srv/www", "/var/www"), ""},
		{"guest-bind:/srv/www2=/srv/www", inside("/srv/www2", "/srv/www"), ""},
		{"host-image:/srv", Mount{}, "TARGET=FILE"},
		{"host-image:/srv=", Mount{}, "TARGET=FILE"},
		{"host-image:/srv=/", Mount{}, "TARGET=FILE"},
		{"host-image:srv=/data.img", Mount{}, "TARGET=FILE"},
		{"host-image:/srv=/data.img,format=", Mount{}, "TARGET=FILE"},
		{"host-image:/srv=/data.img,format=QCOW2", Mount{}, "TARGET=FILE"},
		{"host-image:/var=/data.img", Mount{}, "would replace"},
		{"guest-bind:/srv", Mount{}, "TARGET=PATH"},
		{"guest-bind:/srv/www=var/www", Mount{}, "TARGET=PATH"},
		{"guest-bind:/srv/www=/", Mount{}, "TARGET=PATH"},
		{"guest-bind:/srv=/srv", Mount{}, "within itself"},
		{"guest-bind:/srv=/srv/www", Mount{}, "within itself"},
		{"guest-bind:/etc=/srv/etc", Mount{}, "would replace"},
		{"h:/srv=/data", Mount{}, `mount type "h" is not one of host-bind, host-show, host-image, guest-bind, ram`},
		{"/srv=/data", Mount{}, `mount type "/srv=/data" is not one of host-bind`},
		{"", Mount{}, `mount type "" is not one of host-bind`},
		{"host-bind:/srv", Mount{}, "TARGET=SOURCE"},
		{"host-bind:/srv=", Mount{}, "TARGET=SOURCE"},
		{"host-bind:srv=/data", Mount{}, "TARGET=SOURCE"},
		{"host-bind:/srv=/data/../etc", Mount{}, "TARGET=SOURCE"},
		{"host-bind:/srv\n=/data", Mount{}, "TARGET=SOURCE"},
		{"ram:/scratch", Mount{}, "TARGET=SIZE"},
		{"ram:/scratch=0", Mount{}, "TARGET=SIZE"},
		{"ram:/scratch/=1M", Mount{}, "TARGET=SIZE"},
		{"ram:/scratch=big", Mount{}, "TARGET=SIZE"},
		{"ram:/=1M", Mount{}, "would replace"},
		{"ram:/proc=1M", Mount{}, "would replace"},
		{"host-bind:/etc=/srv/etc", Mount{}, "would replace"},
		{"host-bind:/run/host=/srv/host", Mount{}, "would replace"},
	}
	for _, c := range cases {
		got, err := ParseMount(c.option)
		if got != c.want || !complains(err, c.err) {
			t.Errorf("%q: got %+v, %v; want %+v, %s", c.option, got, err, c.want, c.err)
		}
	}
}

func TestProcessLabel(t *testing.T) {
	chosen := secontext.Context{User: "u", Role: "r", Type: "t"}
	cases := []struct {
		security Security
		want     string
	}{
		{Security{}, "system_u:system_r:virt_sandbox_t:s0"},
		{Security{Level: "s0:c1,c2"}, "system_u:system_r:virt_sandbox_t:s0:c1,c2"},
		{Security{Level: "s0:c3", Label: chosen}, "u:r:t:s0:c3"},
		{Security{Label: chosen}, "u:r:t:s0"},
		{Security{Mode: SecurityDynamic, Label: chosen.WithLevel("s0:c7")}, "u:r:t:s0:c7"},
		{Security{Mode: SecurityDynamic}, "system_u:system_r:virt_sandbox_t:s0"},
	}
	for _, c := range cases {
		if got := (&Sandbox{Security: c.security}).ProcessLabel(); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.security, got, c.want)
		}
	}
}

func TestFileLabel(t *testing.T) {
	cases := []struct {
		security Security
		want     string
	}{
		{
			Security{Mode: SecurityStatic, FileType: "container_file_t", Level: "s0:c1,c2"},
			"system_u:object_r:container_file_t:s0:c1,c2",
		},
		{
			Security{
				Mode:     SecurityStatic,
				FileType: "httpd_t",
				Level:    "s0:c3.c5,c9",
				Label:    secontext.Context{User: "u", Role: "r", Type: "t"},
			},
			"system_u:object_r:httpd_t:s0:c3.c5,c9",
		},
		{Security{Mode: SecurityStatic, FileType: "x"}, "system_u:object_r:x:s0"},
		{
			Security{
				Mode:     SecurityDynamic,
				FileType: "x",
				Label:    secontext.Context{User: "u", Role: "r", Type: "t", Level: "s0"},
			},
			"",
		},
		{Security{Mode: SecurityInherit, FileType: "x"}, ""},
	}
	for _, c := range cases {
		if got := (&Sandbox{Security: c.security}).FileLabel(); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.security, got, c.want)
		}
	}
}

// complains reports whether an error says part; "" stands for no error.
func complains(err error, part string) bool {
	if part == "" {
		return err == nil
	}
	return err != nil && strings.Contains(err.Error(), part)
}
