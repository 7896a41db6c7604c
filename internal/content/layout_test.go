// SPDX-License-Identifier: Apache-2.0

package content

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// layoutOf prepares content and gives the binds as "TARGET < SOURCE", with TREE for the content and " (ro)" where
// nobody may write.
func layoutOf(t *testing.T, h fakeHost, s *config.Sandbox) (binds, missing []string) {
	t.Helper()
	prepare(t, h, s)
	l, err := h.Layout(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range l.Binds {
		text := b.Target + " < " + strings.Replace(b.Source, s.Content, "TREE", 1)
		if b.ReadOnly {
			text += " (ro)"
		}
		binds = append(binds, text)
	}
	return binds, l.Missing
}

func TestLayout(t *testing.T) {
	h := newHost(t, map[string]string{
		"/usr/bin/": "", "/bin": "-> usr/bin", "/opt/": "", "/proc/": "", "/home/": "", "/root/": "", "/srv/": "",
		"/boot/": "", "/data/secret": "", "/pool/app/": "", "/pool/other": "", "/swap": "", "/file": "",
		"/etc/hostname": "h", "/etc/machine-id": "m", "/etc/fstab": "", "/etc/hosts": "", "/etc/shadow": "s",
		"/etc/gshadow":         "s",
		"/etc/systemd/system/": "",
		"/etc/d/d.conf":        "", "/etc/d/closed": "", "/etc/d.conf": "", "/etc/default/d": "", "/etc/default/other": "",
		"/etc/closed": "secret", "/etc/closed-dir/file": "secret", "/etc/open/closed": "secret", "/etc/open/open": "",
		"/etc/mixed/d.key": "secret", "/etc/mixed/other.key": "secret", "/etc/link": "-> closed",
		"/etc/libvirt/qemu.conf": "", "/etc/libvirt-sandbox/services/": "", "/etc/open/libvirt/": "",
		"/var/lib/d/": "", "/opt/d/": "",
		unitFile: bareUnit,
	})
	h.close("/swap", "/etc/shadow", "/etc/gshadow", "/etc/closed", "/etc/closed-dir", "/etc/open/closed", "/etc/mixed",
		"/etc/d/closed", "/etc/mixed/d.key")
	s := box(t, "/etc/d", "/etc/d.conf", "/etc/default/d", "/etc/mixed/d.key", "/opt/d", "/pool/app", "/var/lib/d")
	s.Command, s.Units = nil, []string{"d.service"}
	binds, missing := layoutOf(t, h, s)
	want := []string{
		"/var < TREE/var", "/home < TREE/home", "/root < TREE/root", "/srv < TREE/srv",
		"/etc/systemd/system < TREE/etc/systemd/system",
		"/etc/hostname < TREE/etc/hostname", "/etc/machine-id < TREE/etc/machine-id", "/etc/fstab < TREE/etc/fstab",
		"/etc/hosts < TREE/etc/hosts", "/etc/shadow < TREE/etc/shadow", "/etc/gshadow < TREE/etc/gshadow",
		"/etc/d < TREE/etc/d", "/etc/d.conf < TREE/etc/d.conf", "/etc/default/d < TREE/etc/default/d",
		"/etc/mixed/d.key < TREE/etc/mixed/d.key", "/opt/d < TREE/opt/d", "/pool/app < TREE/pool/app",
		"/boot < TREE/.virt-sandbox/hidden-directory (ro)", "/data < TREE/.virt-sandbox/hidden-directory (ro)",
		"/pool < TREE/pool", "/swap < TREE/.virt-sandbox/hidden-file (ro)",
		"/etc/closed < TREE/.virt-sandbox/hidden-file (ro)", "/etc/closed-dir < TREE/.virt-sandbox/hidden-directory (ro)",
		"/etc/libvirt < TREE/.virt-sandbox/hidden-directory (ro)",
		"/etc/libvirt-sandbox < TREE/.virt-sandbox/hidden-directory (ro)",
		"/etc/mixed < TREE/etc/mixed", "/etc/open/closed < TREE/.virt-sandbox/hidden-file (ro)",
	}
	if !slices.Equal(binds, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(binds, "\n"), strings.Join(want, "\n"))
	}
	if missing != nil {
		t.Errorf("missing: %q", missing)
	}
}

// TestLayoutOfACommand: without systemd there is nothing to have instead of the host's units.
func TestLayoutOfACommand(t *testing.T) {
	h := newHost(t, map[string]string{"/etc/systemd/system/": "", "/home/": "", "/srv/": "", "/etc/hosts": ""})
	binds, missing := layoutOf(t, h, box(t))
	if want := []string{"/var < TREE/var", "/home < TREE/home", "/srv < TREE/srv",
		"/etc/hosts < TREE/etc/hosts"}; !slices.Equal(
		binds,
		want,
	) {
		t.Errorf("got %q, want %q", binds, want)
	}
	if want := []string{"/root"}; !slices.Equal(missing, want) {
		t.Errorf("missing: %q, want %q", missing, want)
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
	l, err := h.Layout(s)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/etc/gone", "/etc/retyped", "/etc/relinked", "/etc/never", "/etc/removed-by-admin"}
	if !slices.Equal(l.Missing, want) {
		t.Errorf("missing: %q, want %q", l.Missing, want)
	}
	for _, b := range l.Binds {
		if slices.Contains(want, b.Target) {
			t.Errorf("%+v is mounted all the same", b)
		}
	}
}
