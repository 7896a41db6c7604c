// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

func TestFind(t *testing.T) {
	const service = "[Service]\nExecStart=/usr/sbin/d\n"
	host := Root(hosttest.Root(t, map[string]string{
		"/usr/lib/systemd/system/httpd.service":             service,
		"/usr/lib/systemd/system/httpd.socket":              "[Socket]\nListenStream=80\n",
		"/usr/lib/systemd/system/org.example.d.service":     service,
		"/usr/lib/systemd/system/postgresql@.service":       service,
		"/usr/lib/systemd/system/getty@.service":            service,
		"/etc/systemd/system/getty@tty9.service":            service,
		"/usr/lib/systemd/system/masked.service":            service,
		"/etc/systemd/system/masked.service":                "-> /dev/null",
		"/usr/lib/systemd/system/overridden.service":        service,
		"/etc/systemd/system/overridden.service":            service,
		"/usr/local/lib/systemd/system/local.service":       service,
		"/lib/systemd/system/unmerged.service":              service,
		"/etc/systemd/system/web.service":                   "-> /usr/lib/systemd/system/httpd.service",
		"/usr/lib/systemd/system/relative.service":          "-> httpd.service",
		"/usr/lib/systemd/system/twice.service":             "-> relative.service",
		"/usr/lib/systemd/system/pg@.service":               "-> postgresql@.service",
		"/etc/systemd/system/pg@main.service":               "-> /usr/lib/systemd/system/postgresql@.service",
		"/usr/lib/systemd/system/loop.service":              "-> loop.service",
		"/usr/lib/systemd/system/dangling.service":          "-> absent.service",
		"/usr/lib/systemd/system/directory.service/":        "",
		"/usr/lib/systemd/system/only-masked.timer":         "-> /dev/null",
		`/usr/lib/systemd/system/dev-disk\x2done.mount`:     "[Mount]\nWhere=/x\n",
		"/usr/lib/systemd/system/multi-user.target.wants/a": service,
	}))
	const lib = "/usr/lib/systemd/system/"
	cases := []struct {
		name, typed, unit string
		files             []string // none: not found
	}{
		{"full name", "httpd.service", "httpd.service", []string{lib + "httpd.service"}},
		{"without suffix", "httpd", "httpd.service", []string{lib + "httpd.service"}},
		{"another type", "httpd.socket", "httpd.socket", []string{lib + "httpd.socket"}},
		{"dots in the name, without suffix", "org.example.d", "org.example.d.service", []string{lib +
			"org.example.d.service"}},
		{"instance", "postgresql@main.service", "postgresql@main.service", []string{lib + "postgresql@.service"}},
		{"instance without suffix", "postgresql@main", "postgresql@main.service", []string{lib + "postgresql@.service"}},
		{"instance with a dot, without suffix", "postgresql@9.6-main", "postgresql@9.6-main.service", []string{lib +
			"postgresql@.service"}},
		{"template becomes the sandbox's", "postgresql@.service", "postgresql@box.service", []string{lib +
			"postgresql@.service"}},
		{"template without suffix", "postgresql@", "postgresql@box.service", []string{lib + "postgresql@.service"}},
		{
			"instance with a file of its own",
			"getty@tty9",
			"getty@tty9.service",
			[]string{"/etc/systemd/system/getty@tty9.service"},
		},
		{"masked on the host", "masked", "masked.service", []string{lib + "masked.service"}},
		{"overridden by the administrator", "overridden", "overridden.service",
			[]string{"/etc/systemd/system/overridden.service", lib + "overridden.service"}},
		{"installed locally", "local", "local.service", []string{"/usr/local/lib/systemd/system/local.service"}},
		{"in /lib", "unmerged", "unmerged.service", []string{"/lib/systemd/system/unmerged.service"}},
		{"alias", "web", "httpd.service", []string{lib + "httpd.service"}},
		{"relative alias", "relative", "httpd.service", []string{lib + "httpd.service"}},
		{"alias of an alias", "twice", "httpd.service", []string{lib + "httpd.service"}},
		{"alias of a template", "pg@main", "postgresql@main.service", []string{lib + "postgresql@.service"}},
		{"alias of a template that becomes the sandbox's", "pg@", "postgresql@box.service", []string{lib +
			"postgresql@.service"}},
		{"escaped name", `dev-disk\x2done.mount`, `dev-disk\x2done.mount`, []string{lib + `dev-disk\x2done.mount`}},
		{name: "absent", typed: "nginx"},
		{name: "absent instance", typed: "nginx@main"},
		{name: "masked without a file", typed: "only-masked.timer"},
		{name: "loop", typed: "loop"},
		{name: "dangling", typed: "dangling"},
		{name: "no regular file", typed: "directory"},
		{name: "slash", typed: "multi-user.target.wants/a"},
		{name: "way out", typed: "../system/httpd.service"},
		{name: "absolute", typed: lib + "httpd.service"},
		{name: "newline", typed: "httpd\n.service"},
		{name: "dots", typed: ".."},
		{name: "empty", typed: ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u, err := host.Find(c.typed, "box")
			if c.files == nil {
				if !errors.Is(err, ErrNoUnit) {
					t.Errorf("%q: got %+v, %v; want ErrNoUnit", c.typed, u, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if u.Name != c.unit || !slices.Equal(u.Files, c.files) {
				t.Errorf("%q: got %s of %q, want %s of %q", c.typed, u.Name, u.Files, c.unit, c.files)
			}
		})
	}
}

// TestDropIns: by name wherever they lie; of two of a name only the one counts that is nearer to the administrator or
// to the instance.
func TestDropIns(t *testing.T) {
	host := Root(hosttest.Root(t, map[string]string{
		"/usr/lib/systemd/system/d@.service":                     "[Service]\nReadWritePaths=/var/unit\n",
		"/usr/lib/systemd/system/d@.service.d/50-b.conf":         "[Service]\nReadWritePaths=/var/vendor\n",
		"/usr/lib/systemd/system/d@.service.d/90-c.conf":         "[Service]\nReadWritePaths=/var/last\n",
		"/usr/lib/systemd/system/d@.service.d/README":            "not read",
		"/usr/lib/systemd/system/d@.service.d/dir.conf/":         "",
		"/etc/systemd/system/d@.service.d/50-b.conf":             "[Service]\nReadWritePaths=/var/admin\n",
		"/etc/systemd/system/d@.service.d/10-a.conf":             "[Service]\nReadWritePaths=/var/template\n",
		"/etc/systemd/system/d@box.service.d/10-a.conf":          "[Service]\nReadWritePaths=/var/instance\n",
		"/etc/systemd/system/d@other.service.d/20-x.conf":        "[Service]\nReadWritePaths=/var/other\n",
		`/usr/lib/systemd/system/a\x2db.service`:                 "[Service]\n",
		`/usr/lib/systemd/system/a\x2db.service.d/10-a.conf`:     "[Service]\nReadWritePaths=/var/escaped\n",
		"/usr/lib/systemd/system/masked.service":                 "[Service]\nReadWritePaths=/var/unit\n",
		"/usr/lib/systemd/system/masked.service.d/10-a.conf":     "[Service]\nReadWritePaths=/var/vendor\n",
		"/etc/systemd/system/masked.service.d/10-a.conf":         "",
		"/usr/lib/systemd/system/reset.service":                  "[Service]\nReadWritePaths=/var/unit\n",
		"/usr/lib/systemd/system/reset.service.d/10-vendor.conf": "[Service]\nReadWritePaths=/var/vendor\n",
		"/etc/systemd/system/reset.service.d/90-administrators.conf": "[Service]\nReadWritePaths=\n" +
			"ReadWritePaths=/var/admin\n",
	}))
	cases := []struct {
		unit string
		want []string
	}{
		{"d@", []string{"/var/unit", "/var/instance", "/var/admin", "/var/last"}},
		{`a\x2db`, []string{"/var/escaped"}},
		{"masked", []string{"/var/unit"}},
		{"reset", []string{"/var/admin"}},
	}
	for _, c := range cases {
		if got := findUnit(t, host, c.unit).Words("ReadWritePaths"); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.unit, got, c.want)
		}
	}
}

func TestFindThatCannotBeRead(t *testing.T) {
	host := Root(hosttest.Root(t, map[string]string{"/usr/lib/systemd/system/broken.service": "[Service\nNo=1\n"}))
	if u, err := host.Find("broken", "box"); err == nil || !strings.Contains(err.Error(), "broken.service") {
		t.Errorf("got %+v, %v; want an error that names the file", u, err)
	}
}

func TestWords(t *testing.T) {
	cases := []struct {
		name, lines string
		want        []string
	}{
		{"absent", "Other=/a", nil},
		{"one", "Key=/a", []string{"/a"}},
		{"several", "Key=/a  /b\t/c", []string{"/a", "/b", "/c"}},
		{"several lines", "Key=/a\nOther=/x\nKey=/b", []string{"/a", "/b"}},
		{"continued", "Key=/a \\\n  /b \\\n/c", []string{"/a", "/b", "/c"}},
		{"reset", "Key=/a\nKey=\nKey=/b", []string{"/b"}},
		{"reset to nothing", "Key=/a\nKey=  ", nil},
		{"quoted", `Key="/a" '/b'`, []string{"/a", "/b"}},
		{"comment", "#Key=/a\n;Key=/b\nKey=/c", []string{"/c"}},
		{"specifiers", "Key=%n %N %p %i %I", []string{"d@a.b.service", "d@a.b", "d", "a.b", "a.b"}},
		{"specifiers of directories", "Key=%S/x %C/x %L/x %t/x %E/x", []string{"/var/lib/x", "/var/cache/x", "/var/log/x",
			"/run/x", "/etc/x"}},
		{"percent sign", "Key=100%% %%i", []string{"100%", "%i"}},
		{"unknown specifier", "Key=/a/%b", []string{"/a/%b"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			host := Root(hosttest.Root(t, map[string]string{"/usr/lib/systemd/system/d@.service": "[Service]\n" + c.lines +
				"\n"}))
			if got := findUnit(t, host, "d@a.b.service").Words("Key"); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestBool(t *testing.T) {
	for lines, want := range map[string]bool{
		"": false, "Key=yes": true, "Key=1": true, "Key=on": true, "Key=True": true, "Key=no": false, "Key=maybe": false,
		"Key=yes\nKey=no": false, "Key=no\nKey=yes": true, "Key=yes\nKey=": false,
	} {
		host := Root(hosttest.Root(t, map[string]string{"/usr/lib/systemd/system/d.service": "[Service]\n" + lines + "\n"}))
		if got := findUnit(t, host, "d").Bool("Key"); got != want {
			t.Errorf("%q: got %t, want %t", lines, got, want)
		}
	}
}

// TestFindBesideTheHostsOwn: foo@box.service of the host runs the container box, and is no unit to run in one.
func TestFindBesideTheHostsOwn(t *testing.T) {
	host := Root(hosttest.Root(t, map[string]string{
		"/usr/lib/systemd/system/pg@.service": "[Service]\nExecStart=/usr/sbin/pg\n",
		"/etc/systemd/system/pg@box.service": "[Unit]\nSourcePath=/etc/libvirt-sandbox/services/box.sandbox\n" +
			"[Install]\nWantedBy=multi-user.target\n",
		"/etc/systemd/system/pg@box.service.d/host.conf":  "[Service]\nTimeoutStartSec=9\n",
		"/etc/systemd/system/pg@.service.d/every.conf":    "[Service]\nNice=5\n",
		"/etc/systemd/system/pg@own.service":              "[Service]\nExecStart=/usr/sbin/own\n",
		"/etc/systemd/system/pg@own.service.d/inner.conf": "[Service]\nNice=6\n",
		"/etc/systemd/system/alone@box.service":           "[Unit]\nSourcePath=/etc/libvirt-sandbox/services/box.sandbox\n",
	}))
	for typed, want := range map[string]string{
		"pg@.service": "/usr/lib/systemd/system/pg@.service + /etc/systemd/system/pg@.service.d/every.conf",
		"pg@box":      "/usr/lib/systemd/system/pg@.service + /etc/systemd/system/pg@.service.d/every.conf",
		"pg@own": "/etc/systemd/system/pg@own.service + /etc/systemd/system/pg@.service.d/every.conf " +
			"/etc/systemd/system/pg@own.service.d/inner.conf",
	} {
		u, err := host.Find(typed, "box")
		if err != nil {
			t.Errorf("%s: %v", typed, err)
			continue
		}
		if got := strings.Join(u.Files, " ") + " + " + strings.Join(u.DropIns, " "); got != want {
			t.Errorf("%s: got %s, want %s", typed, got, want)
		}
	}
	if u, err := host.Find("alone@box", "box"); err == nil {
		t.Errorf("a unit that runs a container was found as %+v", u)
	}
}

func findUnit(t *testing.T, host Root, name string) *Unit {
	t.Helper()
	u, err := host.Find(name, "box")
	if err != nil {
		t.Fatal(err)
	}
	return u
}
