// SPDX-License-Identifier: Apache-2.0

package contentarchive

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// entry is a member of an archive for a test; kind 0 is that of a file.
type entry struct {
	name, text, link string
	kind             byte
	change           func(*tar.Header)
}

// archiveOf writes members, and a manifest behind them where whole is set.
func archiveOf(t testing.TB, whole bool, members ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	if whole {
		members = append(members, entry{name: "manifest", text: `{"path":"/etc/hosts","type":"file","origin":"sandbox"}`})
	}
	for _, m := range members {
		header := &tar.Header{
			Typeflag: tar.TypeReg,
			Name:     m.name,
			Linkname: m.link,
			Size:     int64(len(m.text)),
			Mode:     0o644,
			Format:   tar.FormatPAX,
			Uid:      os.Getuid(),
			Gid:      os.Getgid(),
		}
		if m.kind != 0 {
			header.Typeflag = m.kind
		}
		if m.kind == tar.TypeDir {
			header.Mode = 0o755
		}
		if m.change != nil {
			m.change(header)
		}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(m.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// importTo imports an archive into content below a directory, for a sandbox that is the same as in the archive.
func importTo(
	t testing.TB,
	dir string,
	archive []byte,
	private ...string,
) (s *config.Sandbox, lacking []string, err error) {
	t.Helper()
	s = config.New("web1")
	s.Content, s.MachineID = dir+"/web1", strings.Repeat("1", 32)
	for _, p := range private {
		s.Private = append(s.Private, config.PrivatePath{Path: p, Origin: "admin"})
	}
	h := content.Host{Root: dir + "/host"}
	if err := h.MarkCreating(s); err != nil {
		t.Fatal(err)
	}
	from := *s
	lacking, err = Import(context.Background(), h, &from, s, tar.NewReader(bytes.NewReader(archive)), nil)
	return s, lacking, err
}

// TestDeletedStaysDeleted: an archive has the marks of what was deleted inside and of directories that show nothing of
// the host's, and nothing else that the kernel notes of them or works with.
func TestDeletedStaysDeleted(t *testing.T) {
	from := config.New("web1")
	from.Content, from.MachineID = t.TempDir(), strings.Repeat("1", 32)
	hosttest.Add(t, from.Content, map[string]string{
		"/.virt-sandbox/manifest": "", "/etc/d/f": "", "/etc/merged/": "", "/" + filestate.EtcWork + "/work/": "",
	})
	for _, p := range []string{"/etc/issue", "/etc/passwd", "/var/device"} {
		hosttest.Add(t, from.Content, map[string]string{p: ""})
		hosttest.Edit(t, from.Content, p, "whiteout")
	}
	err := errors.Join(unix.Setxattr(from.Content+"/etc/d", filetree.OpaqueAttribute, []byte("y"), 0),
		unix.Setxattr(from.Content+"/etc/merged", "trusted.overlay.origin", []byte("x"), 0))
	if err != nil {
		t.Skipf("such attributes cannot be set here: %v", err)
	}
	var archive bytes.Buffer
	out := tar.NewWriter(&archive)
	if err := errors.Join(Export(context.Background(), from, out, nil), out.Close()); err != nil {
		t.Fatal(err)
	}
	to, _, err := importTo(t, t.TempDir(), archive.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]bool{"/etc/issue": true, "/etc/passwd": true, "/var/device": false} {
		var stat unix.Stat_t
		err := unix.Lstat(to.Content+p, &stat)
		if got := err == nil && filetree.IsWhiteout(&stat); got != want {
			t.Errorf("%s is deleted: %t (%v)", p, got, err)
		}
	}
	if n, err := unix.Getxattr(to.Content+"/etc/d", filetree.OpaqueAttribute, make([]byte, 8)); err != nil || n != 1 {
		t.Errorf("/etc/d shows what the host has: %v", err)
	}
	if _, err := unix.Getxattr(to.Content+"/etc/merged", "trusted.overlay.origin", nil); err == nil {
		t.Error("a note of the kernel's came along")
	}
	if _, err := os.Lstat(to.Content + "/" + filestate.EtcWork); err == nil {
		t.Error("what the kernel works with came along")
	}
}

// TestExportImport: an archive has all that a copy must keep, and what is for one sandbox alone goes with its identity.
func TestExportImport(t *testing.T) {
	h := content.Host{Root: hosttest.VariedRoot(t)}
	from := config.New("web1")
	from.Content, from.MachineID = h.Root, strings.Repeat("1", 32)
	journal := "/var/log/journal/" + from.MachineID
	hosttest.Add(t, h.Root, map[string]string{
		"/.virt-sandbox/manifest": `{"path":"/etc/d","type":"directory","origin":"admin"}`, "/.virt-sandbox/identity": "{}",
		"/etc/machine-id": from.MachineID, "/etc/hosts": "127.0.0.1 web1\n", "/etc/ssh/ssh_host_rsa_key": "key",
		journal + "/system.journal": "log", "/etc/systemd/system/": "",
	})
	var archive bytes.Buffer
	out := tar.NewWriter(&archive)
	if err := Export(context.Background(), from, out, nil); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	want := hosttest.Part(hosttest.Snapshot(t, h.Root, "/etc/d"), "/etc/d")
	delete(want, "/etc/d/socket")
	for name, machineID := range map[string]string{"the same": from.MachineID, "another": strings.Repeat("2", 32)} {
		t.Run(name, func(t *testing.T) {
			to := *from
			to.Content, to.MachineID = t.TempDir()+"/web1", machineID
			if err := h.MarkCreating(&to); err != nil {
				t.Fatal(err)
			}
			in := tar.NewReader(bytes.NewReader(archive.Bytes()))
			if _, err := Import(context.Background(), h, from, &to, in, nil); err != nil {
				t.Fatal(err)
			}
			hosttest.CheckSame(t, "import", hosttest.Part(hosttest.Snapshot(t, to.Content, "/etc/d"), "/etc/d"), want)
			for _, p := range []string{journal + "/system.journal", "/etc/ssh/ssh_host_rsa_key"} {
				if _, err := os.Stat(to.Content + p); (err == nil) != (name == "the same") {
					t.Errorf("%s of %s: %v", p, name, err)
				}
			}
			if _, err := os.Lstat(to.Content + "/etc/machine-id"); err == nil {
				t.Error("the machine-id is the archive's")
			}
			if entries, err := filestate.ReadManifest(to.Content); err != nil || len(entries) != 1 ||
				entries[0].Path != "/etc/d" {
				t.Errorf("manifest %v (%v)", entries, err)
			}
		})
	}
}

// TestImportOfLinksToWhatIsLeftOut: root inside gives other names to files that a copy does not get, and has
// directories in place of them.
func TestImportOfLinksToWhatIsLeftOut(t *testing.T) {
	h := content.Host{Root: hosttest.Root(t, nil)}
	from := config.New("web1")
	from.Content, from.MachineID = h.Root, strings.Repeat("1", 32)
	journal := "/var/log/journal/" + from.MachineID + "/system.journal"
	names := map[string]string{ // another name of each, behind it in the archive
		journal: "/var/log/zz", "/etc/hostname": "/etc/zz1", "/etc/machine-id": "/etc/zz2",
		"/etc/ssh/ssh_host_rsa_key": "/etc/zz3",
		"/var/lib/dbus/machine-id":  "/var/zz", "/var/lib/systemd/random-seed": "/var/lib/zz",
	}
	hosttest.Add(t, h.Root, map[string]string{
		"/.virt-sandbox/manifest": `{"path":"/etc/d","type":"directory","origin":"admin"}`, "/etc/systemd/system/": "",
		"/etc/ssh/ssh_host_x/f/g": "a directory", "/var/lib/systemd/credential.secret/f": "a directory",
		"/var/log/aa": "before it",
	})
	for name, other := range names {
		hosttest.Add(t, h.Root, map[string]string{name: "text of " + name})
		if err := os.Link(h.Root+name, h.Root+other); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"/var/log/zz2", "/var/log/zz3"} {
		if err := os.Link(h.Root+journal, h.Root+name); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(h.Root+"/var/log/aa", h.Root+"/var/log/journal/second"); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	out := tar.NewWriter(&archive)
	if err := errors.Join(Export(context.Background(), from, out, nil), out.Close()); err != nil {
		t.Fatal(err)
	}
	for what, machineID := range map[string]string{"the same": from.MachineID, "another": strings.Repeat("2", 32)} {
		t.Run(what, func(t *testing.T) {
			to := *from
			to.Content, to.MachineID = t.TempDir()+"/web1", machineID
			if err := h.MarkCreating(&to); err != nil {
				t.Fatal(err)
			}
			if _, err := Import(context.Background(), h, from, &to, tar.NewReader(bytes.NewReader(archive.Bytes())),
				nil); err != nil {
				t.Fatal(err)
			}
			for name, other := range names {
				if data, err := os.ReadFile(to.Content + other); string(data) != "text of "+name {
					t.Errorf("%s: %q (%v)", other, data, err)
				}
			}
			a, errA := os.Stat(to.Content + "/var/log/zz")
			b, errB := os.Stat(to.Content + "/var/log/zz3")
			if errA != nil || errB != nil || !os.SameFile(a, b) {
				t.Errorf("the other names are no longer one file (%v, %v)", errA, errB)
			}
			for _, name := range []string{journal, "/var/log/journal/second", "/etc/ssh/ssh_host_x/f/g",
				"/var/lib/systemd/credential.secret/f"} {
				if _, err := os.Stat(to.Content + name); (err == nil) != (what == "the same") {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

// hostile are archives that must be refused, with what the message says.
func hostile(t testing.TB, outside string) map[string]struct {
	archive []byte
	want    string
} {
	dir := func(name string) entry { return entry{name: name, kind: tar.TypeDir} }
	etc := dir("content/etc/")
	of := func(members ...entry) []byte { return archiveOf(t, true, members...) }
	type refusal = struct {
		archive []byte
		want    string
	}
	cases := map[string]refusal{
		"nothing":     {nil, "not whole"},
		"not a tar":   {bytes.Repeat([]byte("x"), 2048), "invalid tar header"},
		"no manifest": {archiveOf(t, false, etc), "not whole"},
		"cut": {of(etc, entry{name: "content/etc/f", text: strings.Repeat("x", 4096)})[:3000],
			"unexpected EOF"},
		"parent": {of(entry{name: "content/../evil", text: "x"}), "not one of a sandbox's archive"},
		"parent below": {of(etc, entry{name: "content/etc/../../evil", text: "x"}), "not one of a sandbox's " +
			"archive"},
		"absolute":     {of(entry{name: outside + "/evil", text: "x"}), "not one of a sandbox's archive"},
		"elsewhere":    {of(entry{name: "contents/evil", text: "x"}), "not one of a sandbox's archive"},
		"itself":       {of(dir("content/")), "not one of a sandbox's archive"},
		"two slashes":  {of(etc, entry{name: "content//etc/f"}), "not one of a sandbox's archive"},
		"dot":          {of(etc, entry{name: "content/./f"}), "not one of a sandbox's archive"},
		"no directory": {of(entry{name: "content/etc/f"}), "there is no directory /etc before it"},
		"below a file": {of(etc, entry{name: "content/etc/f"}, entry{name: "content/etc/f/g"}),
			"there is no directory /etc/f before it"},
		"below a link out": {
			of(etc, entry{name: "content/etc/l", kind: tar.TypeSymlink, link: outside}, entry{name: "content/etc/l/evil"}),
			"there is no directory /etc/l before it",
		},
		"below a link in": {
			of(etc, entry{name: "content/etc/l", kind: tar.TypeSymlink, link: "."}, entry{name: "content/etc/l/evil"}),
			"there is no directory /etc/l before it",
		},
		"over a link": {
			of(
				etc,
				entry{name: "content/etc/l", kind: tar.TypeSymlink, link: outside + "/evil"},
				entry{name: "content/etc/l", text: "x"},
			),
			"twice",
		},
		"directory over a link": {
			of(etc, entry{name: "content/etc/l", kind: tar.TypeSymlink, link: outside}, dir("content/etc/l/")),
			"twice",
		},
		"twice": {of(etc, etc), "twice"},
		"hard link out": {of(etc, entry{name: "content/etc/l", kind: tar.TypeLink, link: outside + "/secret"}),
			"there is no file"},
		"hard link by dots": {
			of(etc, entry{name: "content/etc/l", kind: tar.TypeLink, link: "content/etc/../../../secret"}),
			"there is no file",
		},
		"hard link to a link": {of(etc, entry{name: "content/etc/s", kind: tar.TypeSymlink, link: outside +
			"/secret"}, entry{name: "content/etc/l", kind: tar.TypeLink, link: "content/etc/s"}), "there is no file"},
		"hard link to a directory": {
			of(etc, dir("content/etc/d/"), entry{name: "content/etc/l", kind: tar.TypeLink, link: "content/etc/d"}),
			"there is no file",
		},
		"hard link to our own": {
			of(etc, entry{name: "content/etc/l", kind: tar.TypeLink, link: "content/.virt-sandbox/creating"}),
			"there is no file",
		},
		"device": {of(etc, entry{name: "content/etc/d", kind: tar.TypeBlock}), "no devices"},
		"null": {of(etc, entry{name: "content/etc/d", kind: tar.TypeChar, change: func(h *tar.Header) {
			h.Devmajor, h.Devminor = 1, 3
		}}), "no devices"},
		"mark of what is deleted elsewhere": {of(dir("content/var/"), entry{name: "content/var/d", kind: tar.TypeChar}),
			"no devices"},
		"link for a top directory": {of(entry{name: "content/var", kind: tar.TypeSymlink, link: "/"}), "not a directory"},
		"link for /boot": {of(entry{name: "content/boot", kind: tar.TypeSymlink, link: "/boot"}),
			"not a directory"},
		"link for units": {
			of(etc, dir("content/etc/systemd/"), entry{name: "content/etc/systemd/system", kind: tar.TypeSymlink, link: "/etc"}),
			"not a directory",
		},
		"link for a file of its own": {of(etc, entry{name: "content/etc/shadow", kind: tar.TypeSymlink, link: "/etc/shadow"}),
			"not a file"},
		"pipe for a file of its own": {of(etc, entry{name: "content/etc/hosts", kind: tar.TypeFifo}), "not a file"},
		"link in our own": {
			of(
				dir("content/.virt-sandbox/"),
				entry{name: "content/.virt-sandbox/x", kind: tar.TypeSymlink, link: outside + "/secret"},
			),
			"only files and directories",
		},
		"pipe in our own": {
			of(dir("content/.virt-sandbox/"), entry{name: "content/.virt-sandbox/x", kind: tar.TypeFifo}),
			"only files and directories",
		},
		"our own as a link": {of(entry{name: "content/.virt-sandbox", kind: tar.TypeSymlink, link: outside}),
			"not a directory"},
		"hole": {withHole(t), "files with holes"},
		"owner": {of(etc, entry{name: "content/etc/f", change: func(h *tar.Header) { h.Uid = -1 }}),
			"owner"},
		"large owner": {of(etc, entry{name: "content/etc/f", change: func(h *tar.Header) { h.Gid = 1 << 32 }}),
			"owner"},
		"a name for a terminal": {of(entry{name: "content/\x1b[2J"}), `"content/\x1b[2J": `},
		"manifest that is a link": {archiveOf(t, false, entry{name: "manifest", kind: tar.TypeSymlink, link: outside +
			"/secret"}), "manifest: it is not a file"},
	}
	for name, text := range map[string]string{
		"no JSON": "{", "a relative path": `{"path":"etc","type":"file"}`, "a path with dots": `{"path":"/etc/../..","type"` +
			`:"file"}`,
		"an unknown type": `{"path":"/etc","type":"device"}`, "no digest": `{"path":"/etc","type":"file","digest":"md5:00"}`,
		"a short digest":           `{"path":"/etc","type":"file","digest":"sha256:00"}`,
		"an origin for a terminal": `{"path":"/etc","type":"file","origin":"\u001b"}`,
	} {
		cases["manifest with "+name] = refusal{archiveOf(t, false, entry{name: "manifest", text: text}), "manifest: "}
	}
	return cases
}

// withHole is an archive with a file of an EiB of which it has nothing.
func withHole(t testing.TB) []byte {
	const size = "1152921504606846976"
	member := entry{name: "content/etc/f", text: "1\n" + size + "\n0\n", change: func(h *tar.Header) {
		// The writer takes no such records.
		h.PAXRecords = map[string]string{"XXX.sparse.major": "1", "XXX.sparse.minor": "0", "XXX.sparse.realsize": size}
	}}
	member.text += strings.Repeat("\x00", 512-len(member.text))
	archive := archiveOf(t, true, entry{name: "content/etc/", kind: tar.TypeDir}, member)
	return bytes.ReplaceAll(archive, []byte("XXX.sparse."), []byte(paxSparse))
}

func TestImportRefuses(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(outside+"/secret", []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := hosttest.Snapshot(t, outside, "/")
	for name, c := range hostile(t, outside) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			_, _, err := importTo(t, dir, c.archive)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("got %v, want %q", err, c.want)
			}
			checkInside(t, dir)
			hosttest.CheckSame(t, "outside", hosttest.Snapshot(t, outside, "/"), before)
		})
	}
}

// checkInside fails the test when there is anything else below dir than the content, or in that what no export has.
func checkInside(t *testing.T, dir string) {
	t.Helper()
	for p, what := range hosttest.Snapshot(t, dir) {
		if p != "/" && p != "/web1" && !strings.HasPrefix(p, "/web1/") {
			t.Errorf("%s was made: %s", p, what)
		}
		isMark := strings.HasPrefix(p, "/web1/etc/") && strings.HasPrefix(what, "Dc--------- ")
		if strings.HasPrefix(what, "D") && !isMark || strings.Contains(what, "secret\"") {
			t.Errorf("%s is there: %s", p, what)
		}
	}
}

// TestImportTakesNoPrivatePathFromTheHost: what a hostile config names and its archive lacks would be copied from here.
func TestImportTakesNoPrivatePathFromTheHost(t *testing.T) {
	archive := archiveOf(t, true,
		entry{name: "content/etc/", kind: tar.TypeDir}, entry{name: "content/etc/mine/", kind: tar.TypeDir},
		entry{name: "content/etc/link", kind: tar.TypeSymlink, link: "mine"}, entry{name: "content/etc/mine/f", text: "x"})
	s, lacking, err := importTo(t, t.TempDir(), archive, "/etc/mine", "/etc/ssl/private", "/etc/link/f", "/etc/mine/g")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"/etc/ssl/private", "/etc/link/f", "/etc/mine/g"}; !slices.Equal(lacking, want) {
		t.Errorf("left out are %v, want %v", lacking, want)
	}
	if len(s.Private) != 1 || s.Private[0].Path != "/etc/mine" {
		t.Errorf("private are %v", s.Private)
	}
}

// TestImportTakesNoAttributeOfTheKernel, and no label.
func TestImportXattrs(t *testing.T) {
	header := &tar.Header{PAXRecords: map[string]string{
		"SCHILY.xattr.user.a": "1", "SCHILY.xattr.user.b%3Dc%25": "2", "SCHILY.xattr.security.capability": "3",
		"SCHILY.xattr.system.posix_acl_access": "4",
		"SCHILY.xattr.security.selinux":        "5", "SCHILY.xattr.trusted.overlay.opaque": "6",
		"SCHILY.xattr.security.ima": "7",
		"RHT.security.selinux":      "8", "user.c": "9",
	}}
	want := map[string][]byte{
		"user.a": []byte(
			"1",
		), "user.b=c%": []byte("2"), "security.capability": []byte("3"), "system.posix_acl_access": []byte("4"),
	}
	if got := xattrsOf(header); !maps.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, name := range []string{"user.a=b", "user.%", "user.%3D", "user.%25=%3D"} {
		if got := unescapeKey(escapeKey(name)); got != name {
			t.Errorf("%q becomes %q", name, got)
		}
	}
}

func TestImportMakesHoles(t *testing.T) {
	text := strings.Repeat("\x00", 1<<20) + "data" + strings.Repeat("\x00", 1<<20) + strings.Repeat("x", 5000) + "\x00"
	f, err := os.Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := writeSparse(f, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(f.Name())
	if err != nil || string(got) != text {
		t.Errorf("%d bytes differ from %d (%v)", len(got), len(text), err)
	}
	info, err := f.Stat()
	if err != nil || blocksOf(info) > 128 {
		t.Errorf("it takes %d blocks (%v)", blocksOf(info), err)
	}
}

// FuzzImport: whatever an archive is, nothing is made outside of the content, and no device in it.
func FuzzImport(f *testing.F) {
	outside := f.TempDir()
	for _, c := range hostile(f, outside) {
		f.Add(c.archive)
	}
	f.Add(archiveOf(
		f,
		true,
		entry{name: "content/etc/", kind: tar.TypeDir},
		entry{name: "content/etc/f", text: "x"},
		entry{
			name: "content/etc/l",
			kind: tar.TypeLink,
			link: "content/etc/f",
		},
		entry{name: "content/etc/p", kind: tar.TypeFifo},
		entry{name: "content/etc/s", kind: tar.TypeSymlink, link: "/dev/null"},
	))
	f.Fuzz(func(t *testing.T, archive []byte) {
		if len(archive) > 1<<16 {
			return
		}
		dir := t.TempDir()
		_, _, err := importTo(t, dir, archive)
		checkInside(t, dir)
		if err != nil && strings.ContainsAny(err.Error(), "\x1b") {
			t.Errorf("the message is nothing for a terminal: %q", err)
		}
		if left, _ := filepath.Glob(outside + "/*"); len(left) > 0 {
			t.Errorf("made outside: %v", left)
		}
	})
}

func blocksOf(info os.FileInfo) int64 { return info.Sys().(*syscall.Stat_t).Blocks }
