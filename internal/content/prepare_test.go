// SPDX-License-Identifier: Apache-2.0

package content

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
)

const machineID = "0123456789abcdef0123456789abcdef"

// box is a sandbox of varied that runs a command, with a copy of the host's content.
func box(t *testing.T, private ...string) *config.Sandbox {
	t.Helper()
	s := config.New("box")
	s.Command, s.MachineID, s.Copy = []string{"true"}, machineID, true
	s.Content = t.TempDir() + "/box"
	for _, p := range private {
		s.Private = append(s.Private, config.PrivatePath{Path: p, Origin: "package:d"})
	}
	return s
}

func prepare(t *testing.T, h fakeHost, s *config.Sandbox) {
	t.Helper()
	if err := h.Prepare(context.Background(), s, nil); err != nil {
		t.Fatal(err)
	}
}

// contentOf is a snapshot of the content without the manifest, whose lines may come in any order.
func contentOf(t *testing.T, s *config.Sandbox, timed ...string) map[string]string {
	t.Helper()
	all := hosttest.Snapshot(t, s.Content, timed...)
	delete(all, "/"+filestate.ManifestName)
	return all
}

// manifest returns what the manifest says, by path.
func manifest(t *testing.T, s *config.Sandbox) map[string]string {
	t.Helper()
	entries, err := filestate.ReadManifest(s.Content)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, e := range entries {
		if found[e.Path] != "" {
			t.Errorf("the manifest has %s twice", e.Path)
		}
		found[e.Path] = strings.TrimSpace(e.Type + " from " + e.Origin + " " + e.Digest)
	}
	return found
}

// TestPrepareMakesTheSkeleton with the modes it needs, whatever the umask.
func TestPrepareMakesTheSkeleton(t *testing.T) {
	h := newHost(t, map[string]string{"/etc/skel/.profile": "PS1=$\n", "/etc/skel/dir/": ""})
	defer unix.Umask(unix.Umask(0o077))
	s := box(t)
	prepare(t, h, s)
	got := contentOf(t, s)
	if os.Getuid() == 0 {
		// Whose numbers are those of a person are left out, as all are that another user can give files to.
		for p, want := range map[string]string{
			"/etc/passwd":  `"root:x:0:0::/root:/bin/sh\n"`,
			"/etc/group":   `"root:x:0:\nmail:x:0:\nsystemd-journal:x:0:\n"`,
			"/etc/shadow":  `"root:*:19000:0:99999:7:::\n"`,
			"/etc/gshadow": `"root:*::\nmail:*::\nsystemd-journal:*::\n"`,
		} {
			if !strings.Contains(got[p], want) {
				t.Errorf("%s is %s, want %s", p, got[p], want)
			}
		}
	}
	for p, want := range map[string]string{
		"/var": "drwxr-xr-x", "/var/lib": "drwxr-xr-x", "/etc/hostname": `-rw-r--r-- `, "/etc/machine-id": `"` + machineID +
			`\n"`, "/etc/fstab": `""`,
		"/etc/hosts":     `"127.0.0.1 localhost box\n::1 localhost ip6-localhost ip6-loopback box\n"`,
		"/root/.profile": `"PS1=$\n"`, "/var/run": "-> ../run", "/var/lock": "-> ../run/lock",
		"/var/tmp": "dtrwxrwxrwx", "/root": "drwx------", "/var/log/journal/" + machineID: "dgrwxr-xr-x",
		"/var/mail": "dgrwxrwxr-x", "/" + filestate.EtcWork: "drwx------",
	} {
		if !strings.Contains(got[p], want) {
			t.Errorf("%s is %s, want %s", p, got[p], want)
		}
	}
	if !strings.HasPrefix(got["/etc/shadow"], "-rw-------") {
		t.Errorf("/etc/shadow is %s", got["/etc/shadow"])
	}
}

// TestManifest: it lists all that was put in place, with the digest of the files.
func TestManifest(t *testing.T) {
	h := varied(t)
	if err := os.Remove(h.Root + "/etc/d/name that is not UTF-8 \xff"); err != nil {
		t.Fatal(err) // JSON cannot tell its name
	}
	s := box(t, "/etc/d")
	if _, err := filestate.ReadManifest(s.Content); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before Prepare: got %v, want ErrNotExist", err)
	}
	prepare(t, h, s)
	want := make(map[string]string)
	for p, what := range contentOf(t, s) {
		origin := " from sandbox"
		if pathname.IsWithin(p, "/etc/d") {
			origin = " from package:d"
		}
		switch {
		case p == "/" || pathname.IsWithin(p, "/"+filestate.OwnDir):
		case what[0] == 'd':
			want[p] = "directory" + origin
		case what[0] == 'L':
			want[p] = "symlink" + origin
		default:
			want[p] = "file" + origin + " " + digestOf(t, s.Content+p)
		}
	}
	hosttest.CheckSame(t, "manifest", manifest(t, s), want)
}

func digestOf(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// TestPrepareNeverTouchesCompleteContent: it is the administrator's, and the host's changes are not for it.
func TestPrepareNeverTouchesCompleteContent(t *testing.T) {
	h := varied(t)
	h.add(map[string]string{"/etc/list": "", "/etc/other": ""})
	s := box(t, "/etc/d", "/etc/other")
	prepare(t, h, s)
	edit := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	edit("change", os.WriteFile(s.Content+"/etc/d/d.conf", []byte("by the administrator"), 0o644))
	edit("change", os.WriteFile(s.Content+"/etc/hosts", []byte("by the administrator"), 0o644))
	edit("delete", os.Remove(s.Content+"/etc/d/big"))
	edit("delete", os.RemoveAll(s.Content+"/etc/d/sub"))
	edit("add", os.WriteFile(s.Content+"/etc/d/new", nil, 0o644))
	edit("chmod", os.Chmod(s.Content+"/etc/other", 0o600))
	edit("chmod", os.Chmod(s.Content+"/var/lib", 0o700))
	edit("relink", errors.Join(os.Remove(s.Content+"/var/run"), os.Symlink("/elsewhere", s.Content+"/var/run")))
	want, listed := hosttest.Snapshot(t, s.Content, "/etc", "/var"), manifest(t, s)
	h.add(map[string]string{"/etc/d/d.conf": "update", "/etc/d/added by an update": ""})
	for range 2 {
		prepare(t, h, s)
		hosttest.CheckSame(t, "content", hosttest.Snapshot(t, s.Content, "/etc", "/var"), want)
		hosttest.CheckSame(t, "manifest", manifest(t, s), listed)
	}
}

// TestPrepareAddsWhatIsNewInTheConfig, and makes what is missing altogether bare: it was removed inside.
func TestPrepareAddsWhatIsNewInTheConfig(t *testing.T) {
	h := varied(t)
	h.add(map[string]string{"/etc/list": "", "/etc/other": ""})
	s := box(t, "/etc/other", "/etc/list")
	prepare(t, h, s)
	if err := errors.Join(os.Remove(s.Content+"/etc/list"), os.Remove(s.Content+"/etc/hostname")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Content+"/etc/other", []byte("by the administrator"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.Content+"/etc", 0o700); err != nil {
		t.Fatal(err)
	}
	before := contentOf(t, s)
	s.Private = append(s.Private, config.PrivatePath{Path: "/etc/d", Origin: "admin"})
	prepare(t, h, s)
	got, host := contentOf(t, s), hosttest.Snapshot(t, h.Root)
	hosttest.CheckSame(t, "new", hosttest.Part(got, "/etc/d"), withoutSpecial(hosttest.Part(host, "/etc/d")))
	if want := `""`; !strings.Contains(got["/etc/list"], want) {
		t.Errorf("what was removed is %s, want %s", got["/etc/list"], want)
	}
	if got["/etc"] != before["/etc"] {
		t.Errorf("/etc is %s, was %s", got["/etc"], before["/etc"])
	}
	hosttest.CheckSame(t, "as it was", hosttest.Part(got, "/etc/other", "/var", "/root"), hosttest.Part(before,
		"/etc/other", "/var", "/root"))
	if !strings.HasSuffix(got["/etc/hostname"], `"box\n" ["/etc/hostname"]`) {
		t.Errorf("/etc/hostname is %s", got["/etc/hostname"])
	}
	for _, p := range []string{"/etc/other", "/etc/d/d.conf"} {
		if manifest(t, s)[p] == "" {
			t.Errorf("%s is not in the manifest", p)
		}
	}
}

// TestRemovedStaysRemoved: root inside gets no copy of what the host has today by removing what it had.
func TestRemovedStaysRemoved(t *testing.T) {
	h := varied(t)
	h.add(map[string]string{"/etc/skel/.profile": "of then", "/etc/list": "of then"})
	s := box(t, "/etc/d", "/etc/list", "/var/lib/later")
	prepare(t, h, s)
	listed := manifest(t, s)
	h.add(map[string]string{"/etc/d/secret of today": "secret", "/etc/skel/.profile": "of today", "/etc/skel/.new": "new"})
	h.put("/etc/list", "secret of today")
	for _, p := range []string{"/etc/d", "/etc/list", "/root/.profile"} {
		if err := os.RemoveAll(s.Content + p); err != nil {
			t.Fatal(err)
		}
	}
	prepare(t, h, s)
	got, host := contentOf(t, s), hosttest.Snapshot(t, h.Root)
	for p, what := range got {
		if strings.Contains(what, "today") || p != "/etc/d" && pathname.IsBelow(p, "/etc/d", "/root") {
			t.Errorf("%s is %s", p, what)
		}
	}
	mode := func(what string) string { return strings.Fields(what)[0] }
	if mode(got["/etc/d"]) != mode(host["/etc/d"]) {
		t.Errorf("the place to mount at is %s, on the host %s", got["/etc/d"], host["/etc/d"])
	}
	hosttest.CheckSame(t, "manifest", manifest(t, s), listed)
}

// TestNotePrivate: what becomes private to a container that is up is made bare at its next start, and copied from
// nowhere.
func TestNotePrivate(t *testing.T) {
	h := varied(t)
	s := box(t, "/etc/group")
	prepare(t, h, s)
	added := []config.PrivatePath{{Path: "/etc/d", Origin: "package:d"}, {Path: "/etc/absent", Origin: "package:d"}}
	s.Private = append(s.Private, added...)
	before := contentOf(t, s)
	if err := h.NotePrivate(s, added); err != nil {
		t.Fatal(err)
	}
	hosttest.CheckSame(t, "while it is up", contentOf(t, s), before)
	prepare(t, h, s)
	got := hosttest.Part(contentOf(t, s), "/etc/d")
	if len(got) != 1 || got["/etc/d"] == "" {
		t.Errorf("at the next start: %v", got)
	}
	if got := manifest(t, s)["/etc/d"]; got != "directory from package:d" {
		t.Errorf("the manifest says %q", got)
	}
}

// TestPrepareWaitsForNobody: a named pipe that root inside put where a file is made keeps nobody.
func TestPrepareWaitsForNobody(t *testing.T) {
	dir := t.TempDir()
	tree, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	if err := errors.Join(unix.Mkfifo(dir+"/pipe", 0o600), os.MkdirAll(dir+"/"+filestate.OwnDir, 0o700),
		unix.Mkfifo(dir+"/"+filestate.ManifestName, 0o600), unix.Mkfifo(dir+"/"+filestate.IdentityName, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, complete := range []bool{true, false} {
		b := builder{tree: tree, complete: complete}
		done := make(chan error, 1)
		go func() {
			f, err := b.create(tree, "pipe")
			if err == nil {
				f.Close()
			}
			done <- err
		}()
		select {
		case err := <-done:
			if err == nil {
				t.Errorf("complete %v: a pipe is written to", complete)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("complete %v: it waits for a reader", complete)
		}
	}
	done := make(chan error, 1)
	go func() {
		_, manifestErr := filestate.ReadManifest(dir)
		_, identityErr := filestate.ReadIdentity(dir)
		if manifestErr == nil || identityErr == nil {
			done <- errors.New("a pipe is read")
		}
		done <- nil
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the manifest or the identity is waited for")
	}
}

// TestPrepareResumes interrupts it at every point at which it looks, of a create and of an addition.
func TestPrepareResumes(t *testing.T) {
	h := varied(t)
	paths := []string{"/etc/d/sub", "/etc/d/link", "/etc/d/big", "/etc/d/empty-dir"}
	undisturbed := box(t, paths...)
	prepare(t, h, undisturbed)
	want := contentOf(t, undisturbed, paths...)
	cases := []struct {
		name  string
		first []config.PrivatePath // what is complete before the interrupted run
	}{
		{"create", nil},
		{"addition", undisturbed.Private[:1]},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for n := 0; ; n++ {
				s := *undisturbed
				s.Content, s.MachineID = t.TempDir()+"/box", machineID
				if err := os.RemoveAll(h.Root + "/run/log"); err != nil {
					t.Fatal(err)
				}
				if c.first != nil {
					s.Private = c.first
					prepare(t, h, &s)
				}
				s.Private = undisturbed.Private
				err := h.Prepare(interruptedAfter(n), &s, nil)
				if err == nil && n > 5 {
					return
				}
				if !errors.Is(err, context.Canceled) {
					t.Fatalf("interrupted at check %d: got %v, want Canceled", n, err)
				}
				if isComplete(s.Content) != (c.first != nil) {
					t.Fatalf("interrupted at check %d: complete is %t", n, isComplete(s.Content))
				}
				prepare(t, h, &s)
				hosttest.CheckSame(t, "resumed", contentOf(t, &s, paths...), want)
				hosttest.CheckSame(t, "resumed manifest", manifest(t, &s), manifest(t, undisturbed))
			}
		})
	}
}

// TestPrepareNeverLeavesTheContent: not even when root in the container has put a link where a directory was.
func TestPrepareNeverLeavesTheContent(t *testing.T) {
	for _, name := range []string{"etc", "var", "var/lib", "var/log", "root"} {
		t.Run(name, func(t *testing.T) {
			outside := t.TempDir()
			h := newHost(t, map[string]string{"/var/lib/d/file": "x", "/var/log/d/file": "x", "/etc/d/file": "x",
				"/etc/skel/x": "x", "/root/d": "x"})
			s := box(t)
			prepare(t, h, s)
			if err := errors.Join(os.RemoveAll(s.Content+"/"+name), os.Symlink(outside, s.Content+"/"+name)); err != nil {
				t.Fatal(err)
			}
			s.Private = box(t, "/var/lib/d", "/var/log/d", "/etc/d", "/root/d").Private
			if err := h.Prepare(context.Background(), s, nil); err == nil {
				t.Error("no error")
			}
			if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
				t.Errorf("outside there is %v, %v", left, err)
			}
		})
	}
}

// isComplete reports whether the content at dir was ever finished.
func isComplete(dir string) bool {
	_, err := filestate.ReadManifest(dir)
	return err == nil
}
