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
	l, err := h.Layout(s, shown)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range l.Mounts {
		text := m.Target + " < " + strings.TrimPrefix(m.Source, h.Root)
		if m.Below != "" {
			text = m.Target + " < TREE/" + strings.TrimPrefix(m.Source, "/")
		}
		if m.ReadOnly {
			text += " (ro)"
		}
		mounts = append(mounts, text)
	}
	return l, mounts
}

// TestLayout: of the host there are its software and its /etc, of which secrets are covered; all else is the content's
// or not there.
func TestLayout(t *testing.T) {
	h := newHost(t, map[string]string{
		"/usr/bin/": "", "/usr/local/bin/tool": "", "/bin": "-> usr/bin", "/lib/": "", "/opt/": "", "/proc/": "",
		"/home/": "", "/root/": "", "/srv/": "", "/mnt/disk/": "",
		"/boot/": "", "/data/secret": "", "/pool/app/": "", "/pool/other": "", "/swap": "", "/file": "",
		"/etc/hostname": "h", "/etc/machine-id": "m", "/etc/fstab": "", "/etc/hosts": "", "/etc/shadow": "s",
		"/etc/gshadow":         "s",
		"/etc/systemd/system/": "",
		"/etc/d/d.conf":        "", "/etc/d/closed": "", "/etc/d.conf": "", "/etc/default/d": "", "/etc/default/other": "",
		"/etc/closed": "secret", "/etc/closed-dir/file": "secret", "/etc/open/closed": "secret", "/etc/open/open": "",
		"/etc/mixed/d.key": "secret", "/etc/mixed/other.key": "secret", "/etc/link": "-> closed",
		"/etc/libvirt/qemu.conf": "", "/etc/libvirt-sandbox/services/": "", "/etc/open/libvirt/": "",
		"/var/lib/d/": "", "/opt/d/": "", "/opt/e/": "",
		unitFile: bareUnit,
	})
	h.close("/swap", "/etc/shadow", "/etc/gshadow", "/etc/closed", "/etc/closed-dir", "/etc/open/closed", "/etc/mixed",
		"/etc/d/closed", "/etc/mixed/d.key")
	s := box(t, "/etc/d", "/etc/d.conf", "/etc/default/d", "/etc/mixed/d.key", "/opt/d", "/pool/app", "/var/lib/d")
	s.Command, s.Units = nil, []string{"d.service"}
	l, mounts := layoutOf(t, h, s, "/opt/e")
	want := []string{
		"/lib < /lib (ro)", "/usr < /usr (ro)", "/etc < /etc (ro)", "/usr/local <  (ro)", "/opt/e < /opt/e (ro)",
		"/var < TREE/var", "/home < TREE/home", "/root < TREE/root", "/srv < TREE/srv",
		"/etc/systemd/system < TREE/etc/systemd/system",
		"/etc/hostname < TREE/etc/hostname", "/etc/machine-id < TREE/etc/machine-id", "/etc/fstab < TREE/etc/fstab",
		"/etc/hosts < TREE/etc/hosts", "/etc/shadow < TREE/etc/shadow", "/etc/gshadow < TREE/etc/gshadow",
		"/etc/d < TREE/etc/d", "/etc/d.conf < TREE/etc/d.conf", "/etc/default/d < TREE/etc/default/d",
		"/etc/mixed/d.key < TREE/etc/mixed/d.key", "/opt/d < TREE/opt/d", "/pool/app < TREE/pool/app",
		"/etc/closed < TREE/.virt-sandbox/hidden-file (ro)", "/etc/closed-dir < TREE/.virt-sandbox/hidden-directory (ro)",
		"/etc/libvirt < TREE/.virt-sandbox/hidden-directory (ro)",
		"/etc/libvirt-sandbox < TREE/.virt-sandbox/hidden-directory (ro)",
		"/etc/mixed < TREE/etc/mixed", "/etc/open/closed < TREE/.virt-sandbox/hidden-file (ro)",
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

// TestLayoutOfACommand: without systemd there is nothing to have instead of the host's units. A directory that the
// content lacks is missing, whether or not the host has it.
func TestLayoutOfACommand(t *testing.T) {
	h := newHost(t, map[string]string{"/etc/systemd/system/": "", "/home/": "", "/srv/": "", "/etc/hosts": ""})
	l, mounts := layoutOf(t, h, box(t))
	want := []string{"/etc < /etc (ro)", "/var < TREE/var", "/home < TREE/home", "/root < TREE/root", "/srv < TREE/srv",
		"/etc/hosts < TREE/etc/hosts"}
	if !slices.Equal(mounts, want) {
		t.Errorf("got %q, want %q", mounts, want)
	}
	if l.Missing != nil {
		t.Errorf("missing: %q", l.Missing)
	}
}

// TestLayoutTellsWhatCannotBeMounted: the root is read-only, so that both sides must have a mount point of one type.
func TestLayoutTellsWhatCannotBeMounted(t *testing.T) {
	h := newHost(t, map[string]string{
		"/home/": "", "/root/": "", "/srv/": "", "/etc/gone": "", "/etc/retyped": "", "/etc/relinked": "", "/etc/stays": "",
		"/etc/removed-by-admin": "", "/var/lib/gone/": "",
	})
	s := box(t, "/etc/gone", "/etc/retyped", "/etc/relinked", "/etc/stays", "/etc/never", "/etc/removed-by-admin",
		"/var/lib/gone")
	prepare(t, h, s)
	for _, p := range []string{"/etc/gone", "/etc/retyped", "/var/lib/gone"} {
		if err := os.RemoveAll(h.Root + p); err != nil {
			t.Fatal(err)
		}
	}
	h.add(map[string]string{"/etc/retyped/": ""})
	for _, p := range []string{"/etc/relinked", "/etc/removed-by-admin"} {
		if err := os.Remove(s.Content + p); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/shadow", s.Content+"/etc/relinked"); err != nil {
		t.Fatal(err)
	}
	l, err := h.Layout(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/etc/gone", "/etc/retyped", "/etc/relinked", "/etc/never", "/etc/removed-by-admin"}
	if !slices.Equal(l.Missing, want) {
		t.Errorf("missing: %q, want %q", l.Missing, want)
	}
	for _, m := range l.Mounts {
		if slices.Contains(want, m.Target) {
			t.Errorf("%+v is mounted all the same", m)
		}
	}
}
