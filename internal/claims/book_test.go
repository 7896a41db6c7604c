// SPDX-License-Identifier: Apache-2.0

package claims

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
)

// fakeKernel notes what it is asked for.
type fakeKernel struct {
	did   []string
	user  string // of every file
	busy  bool
	fails string // what fails, as it would be noted
}

func (k *fakeKernel) do(format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	k.did = append(k.did, what)
	if what == k.fails {
		return errors.New("cannot " + what)
	}
	return nil
}

func (k *fakeKernel) Mount(m image.Mount, _ image.Runner) error {
	return k.do("mount %s %s", filepath.Base(m.File), m.Context)
}

func (k *fakeKernel) Unmount(m image.Mount) (bool, error) {
	return k.busy, k.do("unmount %s %s", filepath.Base(m.File), m.Context)
}

func (k *fakeKernel) Connect(file string, _ config.ImageFormat, _ image.Runner) error {
	return k.do("connect %s", filepath.Base(file))
}

func (k *fakeKernel) Disconnect(file string, format config.ImageFormat) error {
	return k.do("disconnect %s %s", filepath.Base(file), format)
}

func (k *fakeKernel) User(string, ...string) (string, error) { return k.user, nil }

// host is a temporary host with some files.
type host struct {
	*Book
	kernel   *fakeKernel
	dir      string
	warnings []string
	journals []string
	locked   int
}

func newHost(t *testing.T, files ...string) *host {
	t.Helper()
	h := &host{kernel: new(fakeKernel), dir: t.TempDir()}
	h.Book = New(Options{
		Root:           t.TempDir(),
		Lock:           func(context.Context) (func(), error) { h.locked++; return func() { h.locked-- }, nil },
		InHostMounts:   func(f func() error) error { return f() },
		UnlinkJournals: func(content string) error { h.journals = append(h.journals, content); return nil },
		Warn:           func(format string, args ...any) { h.warnings = append(h.warnings, fmt.Sprintf(format, args...)) },
	})
	h.Book.kernel = h.kernel
	t.Cleanup(func() {
		if h.locked != 0 {
			t.Errorf("%d locks are held", h.locked)
		}
	})
	for _, file := range files {
		if err := os.WriteFile(h.file(file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func (h *host) file(name string) string { return filepath.Join(h.dir, name) }

// mounted is the claim of a file that is to be mounted, disk of one that is a disk.
func (h *host) mounted(name, context string) Claim {
	return Claim{File: h.file(name), Format: config.FormatRaw, Target: "/mnt/" + name, Context: context,
		Use: "the mount at /" + name}
}

func (h *host) disk(name string, format config.ImageFormat) Claim {
	return Claim{File: h.file(name), Format: format, Use: "disk " + name}
}

// did compares what the kernel was asked for since the last call.
func (h *host) did(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(h.kernel.did, want) {
		t.Errorf("the kernel was asked for %q, want %q", h.kernel.did, want)
	}
	h.kernel.did = nil
}

func TestAttachAndDetach(t *testing.T) {
	h := newHost(t, "own.raw", "raw", "qcow2")
	own := h.mounted("own.raw", "label")
	own.Content = "/content"
	claims := []Claim{own, h.disk("raw", config.FormatRaw), h.disk("qcow2", config.FormatQCOW2)}
	if err := h.Attach(t.Context(), "web", claims, nil); err != nil {
		t.Fatal(err)
	}
	h.did(t, "mount own.raw label", "connect qcow2")
	if noted, err := h.Read("web"); err != nil || !slices.Equal(noted, claims) {
		t.Errorf("noted: %+v, %v", noted, err)
	}
	if names, err := h.root.ImagesNames(); err != nil || !slices.Equal(names, []string{"web"}) {
		t.Errorf("names: %v, %v", names, err)
	}
	// Again it changes nothing: the kernel finds its work done.
	if err := h.Attach(t.Context(), "web", claims, nil); err != nil {
		t.Fatal(err)
	}
	h.did(t, "mount own.raw label", "connect qcow2")
	if err := h.Detach("web"); err != nil {
		t.Fatal(err)
	}
	h.did(t, "disconnect qcow2 qcow2", "disconnect raw raw", "unmount own.raw label")
	if !slices.Equal(h.journals, []string{"/content"}) {
		t.Errorf("journals of %v are unlinked", h.journals)
	}
	if _, err := os.Lstat(h.root.RunBase()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", h.root.RunBase(), err)
	}
	// Of what has nothing, nothing is detached.
	if err := h.Detach("web"); err != nil {
		t.Error(err)
	}
	h.did(t)
	if err := h.Attach(t.Context(), "web", nil, nil); err != nil {
		t.Error(err)
	}
	if noted, err := h.Read("web"); noted != nil || err != nil {
		t.Errorf("without claims there is a note: %v, %v", noted, err)
	}
}

// An image that is to have another label is mounted anew; others stay.
func TestOtherContext(t *testing.T) {
	h := newHost(t, "a", "b")
	a, b := h.mounted("a", "old"), h.mounted("b", "old")
	if err := h.Attach(t.Context(), "web", []Claim{a, b}, nil); err != nil {
		t.Fatal(err)
	}
	h.kernel.did = nil
	a.Context = "new"
	if err := h.Attach(t.Context(), "web", []Claim{a, b}, nil); err != nil {
		t.Fatal(err)
	}
	h.did(t, "unmount a old", "mount a new", "mount b old")
	noted, err := h.Read("web")
	if err != nil || !slices.Equal(noted, []Claim{b, a}) {
		t.Errorf("noted: %+v, %v", noted, err)
	}
}

func TestConflicts(t *testing.T) {
	h := newHost(t, "used", "free", "busy")
	for name, target := range map[string]string{"link": "used", "link to free": "free"} {
		if err := os.Symlink(h.file(target), h.file(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(h.file("used"), h.file("hard link")); err != nil {
		t.Fatal(err)
	}
	if err := h.Attach(t.Context(), "first", []Claim{h.mounted("used", "")}, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		claims []Claim
		user   string
		want   string
	}{
		{name: "free", claims: []Claim{h.disk("free", config.FormatRaw)}},
		{name: "the same file", claims: []Claim{h.disk("used", config.FormatRaw)},
			want: "disk used of second: " + h.file("used") + " is in use by first, as the mount at /used; stop that first"},
		{name: "a link to it", claims: []Claim{h.disk("link", config.FormatRaw)},
			want: "disk link of second: " + h.file("link") + " is in use by first, as the mount at /used; stop that first"},
		{name: "another name of it", claims: []Claim{h.disk("free", config.FormatRaw), h.disk("hard link", config.FormatRaw)},
			want: "is in use by first"},
		{name: "twice in one sandbox", claims: []Claim{h.disk("free", config.FormatRaw), h.mounted("link to free", "")},
			want: "disk free of second: " + h.file("free") +
				" is the mount at /link to free too; two of them would destroy each other's data"},
		{name: "used by the host", claims: []Claim{h.disk("busy", config.FormatRaw)}, user: "the mount at /mnt",
			want: "disk busy of second: " + h.file("busy") + " is in use by the mount at /mnt"},
		{name: "gone", claims: []Claim{h.disk("gone", config.FormatRaw)},
			want: "disk gone of second: stat " + h.file("gone")},
	} {
		h.kernel.user, h.kernel.did = c.user, nil
		err := h.Attach(t.Context(), "second", c.claims, nil)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", c.name, err)
		} else {
			h.did(t)
			if noted, err := h.Read("second"); len(noted) > 0 || err != nil {
				t.Errorf("%s: noted %v, %v", c.name, noted, err)
			}
		}
		if err := h.Detach("second"); err != nil {
			t.Error(err)
		}
	}
	h.kernel.user = ""
	if err := h.Detach("first"); err != nil {
		t.Fatal(err)
	}
	if err := h.Attach(t.Context(), "second", []Claim{h.disk("used", config.FormatRaw)}, nil); err != nil {
		t.Errorf("once the first is down: %v", err)
	}
}

// A note that cannot be read keeps others from what it may tell of.
func TestBrokenNote(t *testing.T) {
	h := newHost(t, "free")
	if err := os.MkdirAll(h.root.Of("first").Images(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.root.Of("first").Images(), noteName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"attach": h.Attach(t.Context(), "second", []Claim{h.disk("free", config.FormatRaw)}, nil),
		"detach": h.Detach("first"),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "read which images first uses: ") {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

// What cannot be attached is noted, and what cannot be detached stays noted: the next verb finds it.
func TestFailures(t *testing.T) {
	h := newHost(t, "a", "b")
	h.kernel.fails = "mount b "
	claims := []Claim{h.mounted("a", ""), h.mounted("b", "")}
	if err := h.Attach(t.Context(), "web", claims, nil); err == nil || err.Error() != "cannot mount b " {
		t.Errorf("attach: %v", err)
	}
	h.kernel.fails = "unmount a "
	if err := h.Detach("web"); err == nil || err.Error() != "cannot unmount a " {
		t.Errorf("detach: %v", err)
	}
	if noted, err := h.Read("web"); err != nil || !slices.Equal(noted, claims) {
		t.Errorf("noted: %+v, %v", noted, err)
	}
	h.kernel.fails, h.kernel.busy = "", true
	if err := h.Detach("web"); err != nil || len(h.warnings) != 2 ||
		!strings.Contains(h.warnings[0], "still has files of the mount at /b of web open") {
		t.Errorf("of what is busy: %v, warnings %q", err, h.warnings)
	}
	refused := errors.New("no lock")
	h.lock = func(context.Context) (func(), error) { return nil, refused }
	if err := h.Attach(t.Context(), "web", claims, nil); !errors.Is(err, refused) {
		t.Errorf("without the lock: %v", err)
	}
	if err := h.Note(t.Context(), "web", claims...); !errors.Is(err, refused) {
		t.Errorf("without the lock: %v", err)
	}
}

// Forget removes the note and its unfinished copies, and nothing else.
func TestForget(t *testing.T) {
	h := newHost(t, "a")
	if err := h.Note(t.Context(), "web", h.mounted("a", "")); err != nil {
		t.Fatal(err)
	}
	dir := h.root.Of("web").Images()
	mountPoint := h.MountPoint("web", 0)
	unfinished := filepath.Join(dir, "."+noteName+"123")
	if err := errors.Join(os.WriteFile(unfinished, nil, 0o600), os.MkdirAll(mountPoint, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := h.Forget("web"); err == nil {
		t.Error("a directory with a mount point in it is gone")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(mountPoint) {
		t.Errorf("left: %v, %v", entries, err)
	}
	if err := errors.Join(os.Remove(mountPoint), h.Forget("web"), h.Forget("web")); err != nil {
		t.Error(err)
	}
}

// An image that a clone was making beside its source's is found by the note of it; a complete one is nobody's leftover.
func TestUnfinished(t *testing.T) {
	h := newHost(t)
	unfinished, complete := image.Temporary(h.file("clone.raw")), h.file("web.raw")
	usual := image.Temporary(h.root.Of("web").Image(config.FormatQCOW2))
	if err := os.MkdirAll(filepath.Dir(usual), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{unfinished, complete, usual} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	noted := []Claim{{File: unfinished}, {File: complete}, {File: image.Temporary(h.file("gone.raw"))}, {File: usual}}
	if got := h.Unfinished("web", noted); !slices.Equal(got, []string{usual, unfinished}) {
		t.Errorf("found %q", got)
	}
	if found, err := h.RemoveUnfinished("web", noted); !found || err != nil {
		t.Errorf("remove: %v, %v", found, err)
	}
	if found, err := h.RemoveUnfinished("web", noted); found || err != nil {
		t.Errorf("remove again: %v, %v", found, err)
	}
	if _, err := os.Lstat(complete); err != nil {
		t.Error("the complete one is gone")
	}
}

func TestOf(t *testing.T) {
	h := newHost(t)
	actual := h.file("actual")
	if err := errors.Join(os.Mkdir(actual, 0o700), os.Symlink(actual, h.file("link"))); err != nil {
		t.Fatal(err)
	}
	s := config.New("web")
	s.Content, s.Image, s.ImageFormat = h.file("link/web/content"), "/images/web.raw", config.FormatRaw
	s.Mounts = []config.Mount{
		{Kind: config.MountHostBind, Source: "/srv", Target: "/srv"},
		{Kind: config.MountHostImage, Source: "/images/data.qcow2", Format: config.FormatQCOW2, Target: "/data"},
	}
	s.Disks = []config.Disk{{Tag: "db", Source: "/dev/sdb", Format: config.FormatRaw}}
	got, err := h.Of(s, "label")
	want := []Claim{
		{File: "/images/web.raw", Format: config.FormatRaw, Target: actual + "/web/content", Context: "label",
			Content: s.Content, Use: "the image"},
		{File: "/images/data.qcow2", Format: config.FormatQCOW2, Target: h.MountPoint("web", 1), Context: "label",
			Use: "the mount at /data"},
		{File: "/dev/sdb", Format: config.FormatRaw, Use: "disk db"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := h.Of(config.New("web"), ""); got != nil || err != nil {
		t.Errorf("of one without images: %v, %v", got, err)
	}
	if err := os.Symlink("loop", h.file("loop")); err != nil {
		t.Fatal(err)
	}
	s.Content = h.file("loop/web")
	if _, err := h.Of(s, ""); err == nil || !strings.HasPrefix(err.Error(), "find mount point: ") {
		t.Errorf("of a loop of links: %v", err)
	}
}

// Two nodes of one device are the same blocks, whatever they are called.
func TestHaveSameBlocks(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(dir+"/"+name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(dir+"/a", dir+"/c"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{{"a", "a", true}, {"a", "c", true}, {"a", "b", false}} {
		a, errA := os.Stat(dir + "/" + c.a)
		b, errB := os.Stat(dir + "/" + c.b)
		if errA != nil || errB != nil || haveSameBlocks(a, b) != c.want {
			t.Errorf("%s and %s: want %t (%v, %v)", c.a, c.b, c.want, errA, errB)
		}
	}
}
