// SPDX-License-Identifier: Apache-2.0

package innerboot

import (
	"fmt"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// TestInPlaceOfMounts: where no unit can mount, what systemd insists on is taken out of it, one kind at a time, and is
// there for the whole container; what cannot be there so is refused.
func TestInPlaceOfMounts(t *testing.T) {
	const link = "ExecStartPre=+/bin/ln -fL "
	for _, c := range []struct{ lines, want, lacks, binds, memory, refused string }{
		{lines: "PrivateTmp=yes\nProtectSystem=strict\nBindPaths=/var/tmp", binds: "[]", memory: "[]"},
		{ // haproxy
			lines: "BindReadOnlyPaths=/dev/log:/var/lib/d/dev/log",
			want:  "BindPaths=\n" + link + "/dev/log /run/virt-sandbox-links/0/log\n",
			binds: "[{/run/virt-sandbox-links/0 /var/lib/d/dev false true}]", memory: "[]",
			lacks: "a link that it makes when it starts",
		},
		{
			lines: "BindPaths=-/run/systemd/notify:/var/lib/d/run/notify /run/a/a.sock:/var/lib/d/run/a",
			want: "BindPaths=\nExecStartPre=-+/bin/ln -fL /run/systemd/notify /run/virt-sandbox-links/0/notify\n" +
				link + "/run/a/a.sock /run/virt-sandbox-links/0/a\n",
			binds: "[{/run/virt-sandbox-links/0 /var/lib/d/run false true}]", memory: "[]", lacks: "a link",
		},
		{
			lines: "BindReadOnlyPaths=/usr/share/d:/var/lib/d/share\nBindPaths=/srv/d:/srv/e -/etc/absent:/etc/d",
			want:  "BindPaths=\n",
			binds: "[{/usr/share/d /var/lib/d/share true false} {/srv/d /srv/e false false}]", memory: "[]",
			lacks: "made for the whole container",
		},
		{
			lines: "TemporaryFileSystem=/var/lib/scratch /etc/full:ro /var/lib/kept/x / /run/d", want: "TemporaryFileSystem=\n",
			binds: "[]", memory: "[/var/lib/scratch]", lacks: "TemporaryFileSystem=/etc/full is left out",
		},
		{lines: "LogNamespace=d", want: "LogNamespace=\n", binds: "[]", memory: "[]", lacks: "the container's journal"},
		{lines: "RootDirectory=/srv/root", refused: "RootDirectory= needs a mount"},
		{lines: "RootDirectory=/srv/root\nMountAPIVFS=no", binds: "[]", memory: "[]"},
		{lines: "RootImage=/a.raw", refused: "RootImage="},
		{lines: "MountImages=/a.raw:/a", refused: "MountImages="},
		{lines: "ExtensionImages=/a.raw", refused: "ExtensionImages="},
		{lines: "ExtensionDirectories=/a", refused: "ExtensionDirectories="},
		{lines: "BindPaths=/srv/d:/etc/full", refused: "would hide /etc/full"},
		{lines: "BindPaths=/srv/d:/etc/text", refused: "would hide /etc/text"},
		{lines: "BindPaths=/run/d:/srv/e", refused: "only when the container is up"},
		{lines: "BindPaths=/srv/d:/usr", refused: "none can be made there"},
		{lines: "BindPaths=/srv/d:/proc/d", refused: "none can be made there"},
		{lines: "BindPaths=/srv/d:/srv/d/e", refused: "none can be made there"},
		{lines: "BindPaths=/dev/log:/etc/full/log", refused: "hide what is in /etc/full"},
		{lines: "BindPaths=/dev/log:/log", refused: "none can be made there"},
		{lines: "BindPaths=\"/srv/a b:/srv/$c\"", refused: "such a path cannot be"},
	} {
		root := unitfile.Root(hosttest.Root(t, map[string]string{
			lib + "d.service": bare + c.lines + "\n", "/var/lib/d/dev/log": "", "/etc/full/a": "", "/etc/text": "x",
			"/usr/share/d/": "", "/srv/d/": "",
		}))
		s := box("d")
		s.Private = []config.PrivatePath{{Path: "/var/lib/kept"}, {Path: "/var/lib/d"}}
		notes, err := Notes(root, s, true)
		if c.refused != "" {
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%q: got %v, want %q", c.lines, err, c.refused)
			}
			continue
		}
		m, err2 := fitOf(root, s, true)
		if err != nil || err2 != nil {
			t.Errorf("%q: %v, %v", c.lines, err, err2)
			continue
		}
		_, text, _ := strings.Cut(m.Units["d.service.d/zz-virt-sandbox-mounts.conf"], "\n[Service]\n")
		if text != c.want || fmt.Sprint(m.Binds) != c.binds || fmt.Sprint(m.Memory) != c.memory {
			t.Errorf("%q: got %q, %v, %v; want %q, %s, %s", c.lines, text, m.Binds, m.Memory, c.want, c.binds, c.memory)
		}
		if told := strings.Join(notes, "\n"); !strings.Contains(told, c.lacks) || (told == "") != (c.lacks == "") {
			t.Errorf("%q: told %q, want %q", c.lines, told, c.lacks)
		}
		if Runtime(s, *m)["d.service.d/zz-virt-sandbox-mounts.conf"] != m.Units["d.service.d/zz-virt-sandbox-mounts.conf"] {
			t.Errorf("%q: a start does not put the drop-in into its place", c.lines)
		}
	}
}

// TestMountsWhereTheyWork: a unit that can mount does so itself, whatever it needs, unless its administrator took the
// right away.
func TestMountsWhereTheyWork(t *testing.T) {
	root := unitfile.Root(hosttest.Root(t, map[string]string{
		lib + "d.service": bare + "BindReadOnlyPaths=/dev/log:/var/lib/d/dev/log\n",
		lib + "r.service": bare + "RootDirectory=/srv/root\n",
	}))
	m, err := fitOf(root, box("d", "r"), false)
	if err != nil || m.Units["d.service.d/"+mountingDropIn] != "" || len(m.Binds) > 0 {
		t.Errorf("got %+v, %v", m, err)
	}
	if notes, err := Notes(root, box("d", "r"), false); err != nil || len(notes) > 0 {
		t.Errorf("noted %q, %v", notes, err)
	}
	s := box("d")
	if s.Hardening.Capabilities, err = config.ParseCapabilities("auto -CAP_SYS_ADMIN"); err != nil {
		t.Fatal(err)
	}
	if m, err = fitOf(root, s, false); err != nil || len(m.Binds) != 1 {
		t.Errorf("got %+v, %v", m, err)
	}
}
