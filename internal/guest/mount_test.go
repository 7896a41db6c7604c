package guest

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseMounts(t *testing.T) {
	cases := []struct {
		name, line string
		want       []mountPoint
	}{
		{"root", "23 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw", []mountPoint{{"/", "ext4", "rw", false}}},
		{"read-only", "24 23 0:5 / /boot ro,nosuid - vfat /dev/sda2 rw", []mountPoint{{"/boot", "vfat", "rw", true}}},
		{"read-only only as a whole file system", "24 23 0:5 / /boot rw - vfat /dev/sda2 ro", []mountPoint{{"/boot", "vfat", "ro", false}}},
		{"option that begins like ro", "24 23 0:5 / /a rootcontext=x,rw - tmpfs x rw", []mountPoint{{"/a", "tmpfs", "rw", false}}},
		{"no optional fields", "25 23 0:6 / /a rw - tmpfs tmpfs rw", []mountPoint{{"/a", "tmpfs", "rw", false}}},
		{"several optional fields", "25 23 0:6 / /a rw shared:3 master:4 propagate_from:1 - tmpfs t rw", []mountPoint{{"/a", "tmpfs", "rw", false}}},
		{"subtype", "26 23 0:7 / /mnt ro - fuse.sshfs user@host: rw", []mountPoint{{"/mnt", "fuse.sshfs", "rw", true}}},
		{"escaped blank", `27 23 0:8 / /media/USB\040STICK rw - vfat d rw`, []mountPoint{{"/media/USB STICK", "vfat", "rw", false}}},
		{"separator in a name", `27 23 0:8 / /a\040-\040b rw - vfat d rw`, []mountPoint{{"/a - b", "vfat", "rw", false}}},
		{"blanks the kernel does not escape", "27 23 0:8 / /media/USB\u00a0STICK\r rw - vfat d rw", []mountPoint{{"/media/USB\u00a0STICK\r", "vfat", "rw", false}}},
		{"no separator", "23 1 8:1 / / rw ext4 /dev/sda1 rw", nil},
		{"too short", "23 1 8:1 / / - ext4 /dev/sda1 rw", nil},
		{"empty", "", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, text := range []string{c.line, c.line + "\n"} {
				if got := parseMounts(text); !reflect.DeepEqual(got, c.want) {
					t.Errorf("%q: got %+v, want %+v", text, got, c.want)
				}
			}
		})
	}
}

func TestParseMountsKeepsTheirOrder(t *testing.T) {
	got := parseMounts("1 0 8:1 / / rw - ext4 a rw\nnonsense\n2 1 8:2 / /b rw - ext4 b rw\n3 2 8:3 / /a rw - ext4 c rw\n")
	want := []mountPoint{{"/", "ext4", "rw", false}, {"/b", "ext4", "rw", false}, {"/a", "ext4", "rw", false}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestUnescape(t *testing.T) {
	cases := []struct{ text, want string }{
		{"", ""}, {"/plain", "/plain"}, {`\040`, " "}, {`a\040b\011c\012d\134e`, "a b\tc\nd\\e"},
		{`\303\274`, "ü"}, {`\1341`, `\1`}, {`\134040`, `\040`},
		{`\`, `\`}, {`\04`, `\04`}, {`\0`, `\0`}, {`\08 `, `\08 `}, {`\777`, `\777`}, {`\+40`, `\+40`}, {`\x20`, `\x20`},
	}
	for _, c := range cases {
		if got := Unescape(c.text); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

// TestIsOwn: what is not the container's own is made read-only.
func TestIsOwn(t *testing.T) {
	writable := []string{"/var", "/etc/httpd", "/srv/dumps"}
	cases := []struct {
		point string
		want  bool
	}{
		{"/var", true}, {"/var/lib", true}, {"/etc/httpd", true}, {"/etc/httpd/conf.d", true}, {"/srv/dumps", true},
		{"/proc", true}, {"/proc/sys", true}, {"/sys/fs/cgroup", true}, {"/dev/pts", true}, {"/run/host", true}, {"/tmp", true},
		{"/", false}, {"/etc", false}, {"/etc/httpd2", false}, {"/variable", false}, {"/srv", false}, {"/boot", false},
		{"/usr", false}, {"/home/var", false}, {"/process", false}, {"", false},
	}
	for _, c := range cases {
		if got := isOwn(c.point, writable); got != c.want {
			t.Errorf("%q: got %t, want %t", c.point, got, c.want)
		}
	}
}

// FuzzParseMounts: every name that the kernel escapes is read back, and no text makes it panic.
func FuzzParseMounts(f *testing.F) {
	for _, name := range []string{"", "a b", "a\tb", "a\nb", `a\b`, `\040`, "a - b", "\u00a0", "\xff", "1 0 8:1 / / rw - x"} {
		f.Add(name)
	}
	kernel := strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`)
	f.Fuzz(func(t *testing.T, name string) {
		parseMounts(name)
		name = "/" + name
		got := parseMounts("36 35 98:0 / " + kernel.Replace(name) + " ro,noatime master:1 - ext3 /dev/root rw\n")
		if want := []mountPoint{{name, "ext3", "rw", true}}; !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, want %+v", name, got, want)
		}
	})
}
