// SPDX-License-Identifier: Apache-2.0

package content

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

func isOpaque(file string) bool {
	var value [8]byte
	n, err := unix.Lgetxattr(file, filetree.OpaqueAttribute, value[:])
	return err == nil && string(value[:n]) == "y"
}

// TestAccounts: a container has accounts of its own: those of the host's services, whom its unit runs as, and what
// comes to these later, once. What root inside made of the lists stays.
func TestAccounts(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: directories are given to groups")
	}
	h := newHost(t, map[string]string{
		unitFile:      bareUnit + "User=svc\nGroup=media\n",
		"/etc/passwd": "root:$6$x:0:0::/root:/bin/sh\nsvc:x:4242:4242::/:/bin/false\njoe:x:1000:1000::/:/bin/sh\n",
		"/etc/group":  "root:x:0:joe\nsvc:x:4242:\njoe:x:1000:\nmedia:x:5000:joe,svc\nmail:x:8:\nsystemd-journal:x:9:\n",
	})
	s := box(t)
	s.Command, s.Units = nil, []string{"d.service"}
	prepare(t, h, s)
	reads := func(file, want string) {
		t.Helper()
		if got := hosttest.Reads(t, s.Content, file); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
	reads("/etc/passwd", "root:x:0:0::/root:/bin/sh\nsvc:x:4242:4242::/:/bin/false\n")
	reads("/etc/group", "root:x:0:\nsvc:x:4242:\nmedia:x:5000:svc\nmail:x:8:\nsystemd-journal:x:9:\n")
	reads("/etc/shadow", "root:*:19000:0:99999:7:::\nsvc:*:19000:0:99999:7:::\n")
	prepare(t, h, s)
	edit(t, s, "/etc/passwd", "root:x:0:0:me:/root:/bin/sh\nmine:x:7:7::/:/bin/sh\n")
	edit(t, s, "/etc/group", "-> passwd")
	edit(t, s, "/etc/gshadow", "fifo")
	if err := os.Chmod(s.Content+"/etc/passwd", 0o640); err != nil {
		t.Fatal(err)
	}
	h.put("/etc/passwd", "root:x:0:0::/root:/bin/sh\nsvc:x:4242:0::/:/bin/false\nnew:x:6:6::/:/bin/false\n"+
		"same:x:7:6::/:/bin/false\n")
	h.put("/etc/group", "new:x:6:\n")
	for range 2 {
		prepare(t, h, s)
		reads("/etc/passwd", "root:x:0:0:me:/root:/bin/sh\nmine:x:7:7::/:/bin/sh\nnew:x:6:6::/:/bin/false\n")
		reads("/etc/group", "-> passwd")
		if got := hosttest.Reads(t, s.Content, "/etc/shadow"); strings.Count(got, "\nnew:*:") != 1 {
			t.Errorf("shadow is %q", got)
		}
	}
	if info, err := os.Stat(s.Content + "/etc/passwd"); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("passwd has mode %v, %v", info.Mode(), err)
	}
}

// TestDynamicAccount: a unit with DynamicUser= has an account of its own, with the same number in every container.
func TestDynamicAccount(t *testing.T) {
	var lines []string
	for range 2 {
		h := newHost(t, map[string]string{unitFile: bareUnit + "DynamicUser=yes\n"})
		s := box(t)
		s.Command, s.Units = nil, []string{"d.service"}
		prepare(t, h, s)
		_, line, found := strings.Cut(hosttest.Reads(t, s.Content, "/etc/passwd"), "\nd:x:6")
		if !found || !strings.Contains(hosttest.Reads(t, s.Content, "/etc/shadow"), "\nd:*:") ||
			!strings.Contains(hosttest.Reads(t, s.Content, "/etc/group"), "\nd:x:6") {
			t.Fatalf("it has no account: %q", line)
		}
		lines = append(lines, line)
	}
	if lines[0] != lines[1] {
		t.Errorf("two containers have %q", lines)
	}
}

// TestContentOfVersionsBefore: content that was made when private paths were mounted one by one is taken over as it is:
// its private directories show nothing of the host's, and it gets accounts.
func TestContentOfVersionsBefore(t *testing.T) {
	h := newHost(t, map[string]string{unitFile: bareUnit, "/etc/d/sub/f": "host's", "/etc/open/d/f": "",
		"/etc/d.conf": "x"})
	s := box(t, "/etc/d", "/etc/open/d", "/etc/d.conf", "/etc/gone", "/var/lib/d")
	s.Command, s.Units = nil, []string{"d.service"}
	prepare(t, h, s)
	edit(t, s, "/etc/d/mine", "by the administrator")
	opaque := []string{"/etc/d", "/etc/open/d", "/etc/systemd/system"}
	for _, dir := range opaque {
		if !isOpaque(s.Content + dir) {
			t.Skip("no directory can be opaque here")
		}
		if err := unix.Removexattr(s.Content+dir, filetree.OpaqueAttribute); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"etc/passwd", "etc/group", accountsName, filestate.EtcWork} {
		if err := os.Remove(s.Content + "/" + name); err != nil {
			t.Fatal(err)
		}
	}
	hosttest.Add(t, s.Content, map[string]string{
		"/.virt-sandbox/hidden-file": "", "/.virt-sandbox/hidden-directory/": "",
	})
	before := hosttest.Part(contentOf(t, s), "/etc/d", "/var", "/etc/shadow")
	prepare(t, h, s)
	for _, dir := range opaque {
		if !isOpaque(s.Content + dir) {
			t.Errorf("%s shows what the host has", dir)
		}
	}
	for _, dir := range []string{"/etc", "/etc/open", "/etc/systemd", "/etc/d/sub", "/var/lib"} {
		if isOpaque(s.Content + dir) {
			t.Errorf("%s does not show what the host has", dir)
		}
	}
	hosttest.CheckSame(t, "as it was", hosttest.Part(contentOf(t, s), "/etc/d", "/var", "/etc/shadow"), before)
	for _, name := range []string{"etc/passwd", "etc/group", filestate.EtcWork} {
		if _, err := os.Lstat(s.Content + "/" + name); err != nil {
			t.Error(err)
		}
	}
}

// TestDeletedStaysDeleted: a clone has the marks of what was deleted inside and of what shows nothing of the host's,
// and nothing that the kernel noted for the first one alone. What nothing starts without is made anew.
func TestDeletedStaysDeleted(t *testing.T) {
	h := newHost(t, map[string]string{unitFile: bareUnit, "/etc/d/f": "x", "/etc/e/f": "x",
		"/etc/under/d/f": "x", "/etc/under/g": "x"})
	s := box(t, "/etc/d", "/etc/e", "/etc/under/d/f", "/etc/under/g")
	s.Command, s.Units = nil, []string{"d.service"}
	prepare(t, h, s)
	if !isOpaque(s.Content + "/etc/d") {
		t.Skip("no directory can be opaque here")
	}
	whiteout := func(p string) {
		t.Helper()
		if err := errors.Join(os.RemoveAll(s.Content+p), unix.Mknod(s.Content+p, unix.S_IFCHR, 0)); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{"/etc/issue", "/etc/e", "/etc/under", "/etc/passwd", "/etc/systemd", "/var/device"} {
		whiteout(p)
	}
	if err := unix.Setxattr(s.Content+"/etc/d", "trusted.overlay.origin", []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	prepare(t, h, s)
	to := box(t, "/etc/d", "/etc/e")
	to.Name, to.MachineID, to.Command, to.Units = "to", strings.Repeat("e", 32), nil, s.Units
	if err := h.MarkCreating(to); err != nil {
		t.Fatal(err)
	}
	if err := h.Clone(context.Background(), s, to, nil); err != nil {
		t.Fatal(err)
	}
	prepare(t, h, to)
	for p, want := range map[string]bool{
		"/etc/issue": true, "/etc/e": true, "/etc/under": true, "/etc/passwd": true,
		"/etc/systemd": false, "/etc/systemd/system": false,
		"/var/device": false,
	} {
		var stat unix.Stat_t
		err := unix.Lstat(to.Content+p, &stat)
		if got := err == nil && filetree.IsWhiteout(&stat); got != want {
			t.Errorf("%s is deleted: %t (%v)", p, got, err)
		}
	}
	if !isOpaque(to.Content + "/etc/d") {
		t.Error("the clone's /etc/d shows what the host has")
	}
	if _, err := unix.Getxattr(to.Content+"/etc/d", "trusted.overlay.origin", nil); err == nil {
		t.Error("the clone has the kernel's note")
	}
	if _, err := os.Lstat(to.Content + "/etc/e/f"); err == nil {
		t.Error("what was deleted is back")
	}
}
