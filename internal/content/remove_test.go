// SPDX-License-Identifier: Apache-2.0

package content

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

func TestRemove(t *testing.T) {
	const other = "0123456789abcdef0123456789abcdef"
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
	// Of the time before root inside wrote another machine ID.
	h.add(map[string]string{"/var/log/journal/" + other: "-> " + s.Content + "/var/log/journal/" + other})
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
		if _, err := os.Lstat(h.Root + "/var/log/journal/" + other); !os.IsNotExist(err) {
			t.Errorf("the host's other journal link: %v", err)
		}
	}
	if got := hosttest.Snapshot(t, outside); len(got) != 4 {
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
		{"a way out", "../../../etc/link", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			content := t.TempDir() + "/box"
			target := strings.Replace(c.link, "CONTENT", content, 1)
			h := newHost(t, map[string]string{"/var/log/journal/other/system.journal": "x", "/etc/link": "-> " + content + "/x"})
			if target != "" {
				h.add(
					map[string]string{
						"/run/log/journal/" + machineID: "-> " + target,
						"/var/log/journal/" + machineID: "-> " + target,
					},
				)
			}
			before := hosttest.Snapshot(t, h.Root)
			fakeHost{Host{Root: content}, t}.add(map[string]string{"/etc/machine-id": c.id + "\n", "/.virt-sandbox/": ""})
			if err := h.Remove(content); err != nil {
				t.Fatal(err)
			}
			hosttest.CheckSame(t, "host", hosttest.Snapshot(t, h.Root), before)
		})
	}
}

// TestRemoveImmutable: root in a container may make files that nothing can remove as they are.
func TestRemoveImmutable(t *testing.T) {
	h := newHost(t, nil)
	content := t.TempDir() + "/box"
	fakeHost{Host{Root: content}, t}.add(map[string]string{
		"/var/immutable": "x", "/var/append-only": "x", "/var/dir/file": "x", "/var/not UTF-8 \xff/file": "x", "/file": "x",
		"/var/link": "-> dir",
	})
	for name, flag := range map[string]uint32{
		"/var/immutable": unix.STATX_ATTR_IMMUTABLE, "/var/append-only": unix.STATX_ATTR_APPEND,
		"/var/dir":                 unix.STATX_ATTR_IMMUTABLE,
		"/var/not UTF-8 \xff/file": unix.STATX_ATTR_IMMUTABLE, "/file": unix.STATX_ATTR_IMMUTABLE,
	} {
		if err := chattr(content+name, flag); err != nil {
			t.Logf("nothing can be made immutable here: %v", err)
			break
		}
	}
	t.Cleanup(func() { _ = filetree.RemoveAll(content) })
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

// TestRemoveMounted: a tree that something is mounted in stays as it is.
func TestRemoveMounted(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	h := newHost(t, nil)
	for _, name := range []string{"box", "my box", `back\slash`, "no-break\u00a0space"} {
		content := filepath.Join(t.TempDir(), name)
		point := filepath.Join(content, "var/mounted")
		for _, dir := range []string{point, content + "2"} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := unix.Mount("none", point, "tmpfs", 0, "size=4k"); err != nil {
			t.Skipf("nothing can be mounted here: %v", err)
		}
		err := h.Remove(content)
		if err == nil || !strings.Contains(err.Error(), point+";") {
			t.Errorf("%s: got %v", name, err)
		}
		if err := unix.Unmount(point, 0); err != nil {
			t.Errorf("what was mounted is gone: %v", err)
		}
		for _, dir := range []string{content, content + "2"} {
			if err := h.Remove(dir); err != nil {
				t.Errorf("%s without a mount: %v", name, err)
			}
		}
	}
}
