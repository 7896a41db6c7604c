// SPDX-License-Identifier: Apache-2.0

package hostetc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

const pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\n"

// host is one of which nobody uses a generation but those that it names.
type host struct {
	*Store
	used []string
	said []string
}

func newHost(t *testing.T, tree map[string]string) *host {
	t.Helper()
	h := &host{}
	h.Store = &Store{
		Root:  hosttest.Root(t, tree),
		Warn:  func(format string, args ...any) { h.said = append(h.said, fmt.Sprintf(format, args...)) },
		InUse: func() ([]string, error) { return h.used, nil },
	}
	return h
}

// use asks for a generation; keep says that a container uses it from now on.
func (h *host) use(t *testing.T, keep bool) (dir string) {
	t.Helper()
	dir, err := h.Use(func(generation string) error {
		if _, err := os.Lstat(h.Dir(generation)); err != nil {
			t.Errorf("told before it is there: %v", err)
		}
		if keep {
			h.used = append(h.used, generation)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	current, err := h.Current()
	if err != nil || dir != h.Dir(current) {
		t.Errorf("got %s, current is %s (%v)", dir, current, err)
	}
	return dir
}

// seen lists what a generation has: files with their text, links with their targets.
func seen(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(p, dir+"/")
		switch e.Type() {
		case fs.ModeDir:
			name += "/"
		case fs.ModeSymlink:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			name += " -> " + target
		case 0:
			text, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			name += " " + strings.TrimSpace(string(text))
		default:
			name += " " + e.Type().String()
		}
		if p != dir && !isGiven(name) {
			list = append(list, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// isGiven tells of what each host of hosttest has.
func isGiven(line string) bool {
	return strings.Contains(line, "+@nis") || strings.Contains(line, "systemd-journal")
}

// TestRules: a generation has what everybody may read along its whole path, and neither passwords nor keys nor what is
// virt-sandbox's and libvirt's.
func TestRules(t *testing.T) {
	h := newHost(t, map[string]string{
		"/etc/issue": "hello", "/etc/localtime": "-> /usr/share/zoneinfo/UTC", "/etc/deep/er/file": "deep",
		"/etc/passwd": "root:x:0:0::/root:/bin/sh\nold:$1$abc:9:9::/:/bin/sh\nfree::8:8::/:/bin/sh\n",
		"/etc/group":  "root:x:0:\nold:secret:9:a,b\n",
		"/etc/shadow": "root:secret", "/etc/shadow-": "root:secret", "/etc/gshadow": "x", "/etc/gshadow-": "x",
		"/etc/shadow.org": "root:secret", "/etc/passwd-": "old", "/etc/group-": "old", "/etc/app/shadow": "not that one",
		"/etc/libvirt/qemu.conf": "x", "/etc/libvirt-sandbox/services/a.sandbox": "x", "/etc/virt-sandbox/x": "x",
		"/etc/closed-file": "secret", "/etc/closed/file": "secret", "/etc/listed-only/file": "x",
		"/etc/passed-only/file": "x",
		"/etc/app/key.pem":      "Bag Attributes\n" + pem, "/etc/app/bundle.pem": "-----BEGIN CERTIFICATE-----\n" +
			strings.Repeat("MIIB\n", 2000) + "-----END CERTIFICATE-----\n" + pem,
		"/etc/app/cert.pem": "-----BEGIN CERTIFICATE-----", "/etc/app/doc": "# begins with -----BEGIN PRIVATE KEY-----",
		"/etc/ssl/private/open.key": "DER", "/etc/ssh/ssh_host_rsa_key": "x", "/etc/ssh/ssh_host_rsa_key.pub": "public",
		"/etc/wg.conf":    "[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n",
		"/etc/app.conf":   "PrivateKey = /etc/app/key.pem\n",
		"/etc/a.keytab":   "\x05\x02x",
		"/etc/to-closed":  "-> closed/file",
		"/etc/line\nfeed": "name", "/etc/\x1b[2J": "name", "/etc/...": "dots",
	})
	etc := h.Root + "/etc"
	for name, mode := range map[string]uint32{
		"closed-file": 0o640, "closed": 0o750, "listed-only": 0o754, "passed-only": 0o751, "issue": 0o4755, "deep": 0o2755,
	} {
		if err := unix.Chmod(etc+"/"+name, mode); err != nil {
			t.Fatal(err)
		}
	}
	hosttest.Add(t, h.Root, map[string]string{"/sock/": ""})
	err := errors.Join(unix.Mkfifo(etc+"/pipe", 0o644), os.WriteFile(etc+"/huge", nil, 0o644),
		os.Truncate(etc+"/huge", maxFile+1))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mknod(etc+"/device", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Logf("no device: %v", err)
	}
	dir := h.use(t, false)
	want := []string{
		"\x1b[2J name", "... dots", "app/", "app/cert.pem -----BEGIN CERTIFICATE-----",
		"app/doc # begins with -----BEGIN PRIVATE KEY-----", "app/shadow not that one",
		"app.conf PrivateKey = /etc/app/key.pem", "closed/", "deep/", "deep/er/", "deep/er/file deep",
		"group root:x:0:\nold:*:9:a,b", "issue hello", "line\nfeed name", "listed-only/",
		"localtime -> /usr/share/zoneinfo/UTC", "passed-only/",
		"passwd root:x:0:0::/root:/bin/sh\nold:*:9:9::/:/bin/sh\nfree:*:8:8::/:/bin/sh", "ssh/",
		"ssh/ssh_host_rsa_key.pub public", "ssl/", "ssl/private/", "to-closed -> closed/file",
	}
	got := seen(t, dir)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if len(h.said) != 1 || !strings.Contains(h.said[0], "/etc/huge, which has more than 32 MiB") {
		t.Errorf("said %q", h.said)
	}
	var stat, of unix.Stat_t
	if err := errors.Join(unix.Stat(dir+"/issue", &stat), unix.Stat(etc+"/issue", &of)); err != nil ||
		stat.Mode&0o7777 != 0o755 || stat.Mtim != of.Mtim {
		t.Errorf("issue has mode %o and time %v, %v", stat.Mode, stat.Mtim, err)
	}
	if err := unix.Stat(dir+"/closed", &stat); err != nil || stat.Mode&0o7777 != 0o750 {
		t.Errorf("closed has mode %o, %v", stat.Mode, err)
	}
}

// TestGenerations: one is used until something that it has changes, kept as long as a container uses it, and gone after
// that.
func TestGenerations(t *testing.T) {
	h := newHost(t, map[string]string{"/etc/issue": "1", "/etc/d/f": "x", "/etc/closed": "1", "/etc/secrets/a": "1"})
	if err := errors.Join(os.Chmod(h.Root+"/etc/closed", 0o600), os.Chmod(h.Root+"/etc/secrets", 0o700)); err != nil {
		t.Fatal(err)
	}
	first := h.use(t, true)
	for name, change := range map[string]func(etc string) error{
		"nothing":                     func(string) error { return nil },
		"a file that nobody may read": func(etc string) error { return os.WriteFile(etc+"/closed", []byte("22"), 0o600) },
		"a closed directory": func(etc string) error {
			return errors.Join(os.WriteFile(etc+"/secrets/b", nil, 0o644), os.Remove(etc+"/secrets/b"))
		},
	} {
		if err := change(h.Root + "/etc"); err != nil {
			t.Fatal(err)
		}
		if again := h.use(t, true); again != first {
			t.Errorf("after a change of %s there is another one", name)
		}
	}
	was := first
	for _, c := range []struct {
		name   string
		change func(etc string) error
	}{
		{"text", func(etc string) error { return os.WriteFile(etc+"/issue", []byte("2"), 0o644) }},
		{"mode", func(etc string) error { return os.Chmod(etc+"/d/f", 0o664) }},
		{"new", func(etc string) error { return os.WriteFile(etc+"/d/new", nil, 0o644) }},
		{"link", func(etc string) error { return os.Symlink("issue", etc+"/link") }},
		{"another link", func(etc string) error {
			return errors.Join(os.Symlink("motd", etc+"/link.new"), os.Rename(etc+"/link.new", etc+"/link"))
		}},
		{"gone", func(etc string) error { return os.Remove(etc + "/d/f") }},
		{"time", func(etc string) error { return os.Chtimes(etc+"/issue", time.Time{}, time.Unix(1, 0)) }},
		{"closed", func(etc string) error { return os.Chmod(etc+"/d", 0o700) }},
	} {
		if err := c.change(h.Root + "/etc"); err != nil {
			t.Fatal(err)
		}
		now := h.use(t, false)
		if now == was {
			t.Errorf("after a change of %s it is the same", c.name)
		}
		if _, err := os.Lstat(was); (err == nil) != (was == first) {
			t.Errorf("after %s, the one before: %v; the first is in use", c.name, err)
		}
		was = now
	}
	h.used = nil
	if err := os.WriteFile(h.Root+"/etc/last", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(h.Dir(newPrefix+"killed"), 0o700); err != nil {
		t.Fatal(err)
	}
	last := h.use(t, false)
	entries, err := os.ReadDir(h.Root + Base)
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(last) {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// TestChangesMeanwhile: what goes or becomes something else between look and copy has the copy begun anew, and leads
// nowhere.
func TestChangesMeanwhile(t *testing.T) {
	h := newHost(t, map[string]string{"/etc/d/a": "a", "/etc/z": "z", "/secret/a": "secret"})
	err := h.inEtc(func(etc *os.File) error {
		found, err := takeEntries(etc)
		if err != nil {
			return err
		}
		err = errors.Join(os.Rename(h.Root+"/etc/d", h.Root+"/moved"), os.Symlink("../secret", h.Root+"/etc/d"))
		if err != nil {
			return err
		}
		m := maker{etc, t.TempDir() + "/strict", false}
		if err := m.all(found); !errors.Is(err, errChanged) {
			t.Errorf("got %v", err)
		}
		if err := found.isStill(etc); !errors.Is(err, errChanged) {
			t.Errorf("looked again: %v", err)
		}
		m = maker{etc, t.TempDir() + "/lenient", true}
		if err := m.all(found); err != nil {
			return err
		}
		if got, want := seen(t, m.target), []string{"d/", "z z"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := seen(t, h.use(t, false)); !slices.Equal(got, []string{"d -> ../secret", "z z"}) {
		t.Errorf("after that: %q", got)
	}
}

// FuzzSecret: no private key of PEM is overlooked, whatever is around it, and passwords never come through.
func FuzzSecret(f *testing.F) {
	f.Add([]byte("x\n"), []byte("root:x:0:"))
	f.Add([]byte("\r\n\x00"), []byte("a:b:c\n:::\n"))
	f.Fuzz(func(t *testing.T, before, list []byte) {
		if !isSecret("a", bytes.Join([][]byte{before, []byte(pem), before}, []byte("\n"))) {
			t.Errorf("overlooked after %q", before)
		}
		for l := range bytes.Lines(withoutHashes(list)) {
			if fields := bytes.Split(l, []byte(":")); len(fields) > 2 && string(fields[1]) != "x" && string(fields[1]) != "*" {
				t.Errorf("%q has a password", l)
			}
		}
	})
}

// BenchmarkScan is what each start pays.
func BenchmarkScan(b *testing.B) {
	s := Store{}
	for b.Loop() {
		if _, err := s.Current(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestLook: what was found earlier is used where it is there, and else what is found now.
func TestLook(t *testing.T) {
	h := newHost(t, map[string]string{"/etc/issue": "old"})
	note := func(string) error { return nil }
	early := h.Look()
	old := h.use(t, true)
	if dir, err := early.Use(note); dir != old || err != nil {
		t.Errorf("got %s, %v, want %s", dir, err, old)
	}
	early = h.Look()
	<-early.done
	hosttest.Put(t, h.Root, "/etc/issue", "new")
	if dir, err := early.Use(note); dir != old || err != nil {
		t.Errorf("after a change got %s, %v, want %s, as it was", dir, err, old)
	}
	h.used = nil
	now := h.use(t, true) // which removes the old one
	if dir, err := early.Use(note); dir != now || err != nil {
		t.Errorf("without its generation got %s, %v, want %s", dir, err, now)
	}
	if err := os.RemoveAll(h.Root + "/etc"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Look().Use(note); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without /etc: %v", err)
	}
}
