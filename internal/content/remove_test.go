package content

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRemove(t *testing.T) {
	h := varied(t)
	s := box(t, "/etc/d")
	prepare(t, h, s)
	outside := t.TempDir()
	fakeHost{Host{Root: outside}, t}.add(map[string]string{"/file": "x", "/dir/file": "x"})
	fakeHost{Host{Root: s.Content}, t}.add(map[string]string{
		"/var/lib/link": "-> " + outside + "/dir", "/var/lib/file-link": "-> " + outside + "/file", "/top": "-> " + outside,
		"/var/lib/closed/file": "x",
	})
	if err := os.Link(outside+"/file", s.Content+"/hard"); err != nil {
		t.Fatal(err)
	}
	journal := h.Root + "/run/log/journal/" + machineID
	if target, err := os.Readlink(journal); err != nil || target != s.Content+"/var/log/journal/"+machineID {
		t.Fatalf("the host's journal link points to %s, %v", target, err)
	}
	for range 2 {
		if err := h.Remove(s.Content); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(filepath.Dir(s.Content)); err != nil || len(left) > 0 {
			t.Errorf("there is %v, %v", left, err)
		}
		if _, err := os.Lstat(journal); !os.IsNotExist(err) {
			t.Errorf("the host's journal link: %v", err)
		}
	}
	if got := snapshot(t, outside); len(got) != 4 {
		t.Errorf("outside there is only %v", got)
	}
}

// TestRemoveLeavesJournalsOfOthers: the machine ID is what root in the container wrote into its file.
func TestRemoveLeavesJournalsOfOthers(t *testing.T) {
	cases := []struct{ name, id, link string }{
		{"of another sandbox", machineID, "CONTENT-of-another/var/log/journal/" + machineID},
		{"of another tool", machineID, "/var/lib/machines/x/var/log/journal/" + machineID},
		{"a directory", "..", ""},
		{"nothing", "", ""},
		{"a way out", "../../../etc/link", "CONTENT/x"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			content := t.TempDir() + "/box"
			target := strings.Replace(c.link, "CONTENT", content, 1)
			h := newHost(t, map[string]string{"/var/log/journal/other/system.journal": "x", "/etc/link": "-> " + content + "/x"})
			if target != "" {
				h.add(map[string]string{"/run/log/journal/" + machineID: "-> " + target, "/var/log/journal/" + machineID: "-> " + target})
			}
			before := snapshot(t, h.Root)
			fakeHost{Host{Root: content}, t}.add(map[string]string{"/etc/machine-id": c.id + "\n", "/.virt-sandbox/": ""})
			if err := h.Remove(content); err != nil {
				t.Fatal(err)
			}
			checkSame(t, "host", snapshot(t, h.Root), before)
		})
	}
}

// TestRemoveImmutable: root in a container may make files that nothing can remove as they are.
func TestRemoveImmutable(t *testing.T) {
	h := newHost(t, nil)
	content := t.TempDir() + "/box"
	fakeHost{Host{Root: content}, t}.add(map[string]string{
		"/var/immutable": "x", "/var/append-only": "x", "/var/dir/file": "x", "/var/not UTF-8 \xff/file": "x", "/file": "x", "/var/link": "-> dir",
	})
	for name, flag := range map[string]uint32{
		"/var/immutable": unix.STATX_ATTR_IMMUTABLE, "/var/append-only": unix.STATX_ATTR_APPEND, "/var/dir": unix.STATX_ATTR_IMMUTABLE,
		"/var/not UTF-8 \xff/file": unix.STATX_ATTR_IMMUTABLE, "/file": unix.STATX_ATTR_IMMUTABLE,
	} {
		if err := chattr(content+name, flag); err != nil {
			t.Logf("nothing can be made immutable here: %v", err)
			break
		}
	}
	t.Cleanup(func() { _ = removeAll(content) })
	if err := h.Remove(content); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(content); !os.IsNotExist(err) {
		t.Errorf("it is still there (%v)", err)
	}
}

func chattr(file string, flag uint32) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return err
	}
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags|flag))
}

// TestMountedIn: Remove refuses a tree that something is mounted in.
func TestMountedIn(t *testing.T) {
	const mountinfo = "23 1 8:1 / / rw - ext4 /dev/sda1 rw\n" +
		"24 23 0:5 / /srv/box/var/lib/mounted rw shared:1 - tmpfs tmpfs rw\n" +
		`25 23 0:6 / /srv/my\040box/var rw - tmpfs tmpfs rw` + "\n" +
		`26 23 0:7 / /srv/back\134slash rw - tmpfs tmpfs rw` + "\n" +
		"27 23 0:8 / /srv/no-break\u00a0space/x rw - tmpfs tmpfs rw\n" +
		"short\n"
	for dir, want := range map[string]string{
		"/srv/box":                  "/srv/box/var/lib/mounted",
		"/srv/box/var/lib/mounted":  "/srv/box/var/lib/mounted",
		"/srv/my box":               `/srv/my\040box/var`,
		`/srv/back\slash`:           `/srv/back\134slash`,
		"/srv/no-break\u00a0space":  "/srv/no-break\u00a0space/x",
		"/srv/bo":                   "",
		"/srv/box2":                 "",
		"/srv/box/var/lib/mounted2": "",
		"/srv/my":                   "",
		"/other":                    "",
	} {
		if got := mountedIn(mountinfo, dir); got != want {
			t.Errorf("%s: got %q, want %q", dir, got, want)
		}
	}
}
