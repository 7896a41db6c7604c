// SPDX-License-Identifier: Apache-2.0

package content

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/roottree"
)

// layoutOf prepares content and gives the mounts as "TARGET < SOURCE", with TREE for the content and " (ro)" where
// nobody may write.
func layoutOf(t *testing.T, h fakeHost, s *config.Sandbox, shown ...string) (l *Layout, mounts []string) {
	t.Helper()
	prepare(t, h, s)
	l, err := h.Layout(s, shown, "/generation")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range l.Mounts {
		text := m.Target + " < " + strings.TrimPrefix(m.Source, h.Root)
		if m.Below != "" {
			text = m.Target + " < TREE/" + strings.TrimPrefix(m.Source, "/")
		}
		if m.Lower != "" {
			text += " over " + m.Lower + " by " + m.Work
		}
		if m.ReadOnly {
			text += " (ro)"
		}
		mounts = append(mounts, text)
	}
	return l, mounts
}

const etcMount = "/etc < TREE/etc over /generation by /.virt-sandbox/etc-work"

// TestLayout: of the host there is its software; all else is the content's, which in /etc lies over a copy of the
// host's, or not there.
func TestLayout(t *testing.T) {
	h := newHost(t, map[string]string{
		"/usr/bin/": "", "/usr/local/bin/tool": "", "/bin": "-> usr/bin", "/lib/": "", "/opt/": "", "/proc/": "",
		"/home/": "", "/root/": "", "/srv/": "", "/mnt/disk/": "",
		"/boot/": "", "/data/secret": "", "/pool/app/": "", "/pool/other": "", "/swap": "", "/file": "",
		"/etc/hosts": "", "/etc/systemd/system/": "", "/etc/d/d.conf": "", "/etc/closed": "secret",
		"/var/lib/d/": "", "/opt/d/": "", "/opt/e/": "",
		unitFile: bareUnit,
	})
	h.close("/swap", "/etc/closed")
	s := box(t, "/etc/d", "/etc/d.conf", "/opt/d", "/pool/app", "/var/lib/d")
	s.Command, s.Units = nil, []string{"d.service"}
	l, mounts := layoutOf(t, h, s, "/opt/e")
	want := []string{
		"/lib < /lib (ro)", "/usr < /usr (ro)", "/usr/local <  (ro)", "/opt/e < /opt/e (ro)", etcMount,
		"/var < TREE/var", "/home < TREE/home", "/root < TREE/root", "/srv < TREE/srv",
		"/opt/d < TREE/opt/d", "/pool/app < TREE/pool/app",
	}
	if !slices.Equal(mounts, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(mounts, "\n"), strings.Join(want, "\n"))
	}
	if l.Missing != nil {
		t.Errorf("missing: %q", l.Missing)
	}
	if links := []roottree.Link{{Path: "/bin", Target: "usr/bin"}}; !slices.Equal(l.Links, links) {
		t.Errorf("links %v, want %v", l.Links, links)
	}
	if dirs := []string{"/boot", "/mnt", "/opt"}; !slices.Equal(l.Dirs, dirs) {
		t.Errorf("empty directories %v, want %v", l.Dirs, dirs)
	}
}

// TestViewOfLocal: /usr/local is empty, unless it is asked for.
func TestViewOfLocal(t *testing.T) {
	h := newHost(t, map[string]string{"/usr/local/bin/": "", "/etc/": ""})
	for _, shown := range [][]string{nil, {LocalTop}} {
		v, err := h.View(shown)
		if err != nil {
			t.Fatal(err)
		}
		covered := slices.ContainsFunc(v.Mounts, func(m roottree.Mount) bool {
			return m.Target == LocalTop && m.Source == ""
		})
		if covered != (shown == nil) {
			t.Errorf("shown %q: %+v", shown, v.Mounts)
		}
	}
}

// TestLayoutOfACommand: a directory of the root that the host lacks is there too.
func TestLayoutOfACommand(t *testing.T) {
	h := newHost(t, map[string]string{"/etc/systemd/system/": "", "/home/": "", "/srv/": "", "/etc/hosts": ""})
	l, mounts := layoutOf(t, h, box(t))
	want := []string{etcMount, "/var < TREE/var", "/home < TREE/home", "/root < TREE/root", "/srv < TREE/srv"}
	if !slices.Equal(mounts, want) {
		t.Errorf("got %q, want %q", mounts, want)
	}
	if l.Missing != nil {
		t.Errorf("missing: %q", l.Missing)
	}
}

// TestLayoutTellsWhatCannotBeMounted: what the host shows is read-only, so that both sides must have a mount point of
// one type.
func TestLayoutTellsWhatCannotBeMounted(t *testing.T) {
	h := newHost(t, map[string]string{
		"/home/": "", "/root/": "", "/srv/": "",
		"/usr/share/gone": "", "/usr/share/retyped": "", "/usr/share/relinked": "", "/usr/share/stays": "",
		"/usr/share/removed-by-admin": "", "/var/lib/gone/": "",
	})
	s := box(t, "/usr/share/gone", "/usr/share/retyped", "/usr/share/relinked", "/usr/share/stays", "/usr/share/never",
		"/usr/share/removed-by-admin",
		"/var/lib/gone")
	prepare(t, h, s)
	for _, p := range []string{"/usr/share/gone", "/usr/share/retyped", "/var/lib/gone"} {
		if err := os.RemoveAll(h.Root + p); err != nil {
			t.Fatal(err)
		}
	}
	h.add(map[string]string{"/usr/share/retyped/": ""})
	for _, p := range []string{"/usr/share/relinked", "/usr/share/removed-by-admin"} {
		if err := os.Remove(s.Content + p); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/usr/share/shadow", s.Content+"/usr/share/relinked"); err != nil {
		t.Fatal(err)
	}
	l, err := h.Layout(s, nil, "/generation")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/usr/share/gone", "/usr/share/retyped", "/usr/share/relinked", "/usr/share/never",
		"/usr/share/removed-by-admin"}
	if !slices.Equal(l.Missing, want) {
		t.Errorf("missing: %q, want %q", l.Missing, want)
	}
	for _, m := range l.Mounts {
		if slices.Contains(want, m.Target) {
			t.Errorf("%+v is mounted all the same", m)
		}
	}
}
