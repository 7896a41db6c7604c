// SPDX-License-Identifier: Apache-2.0

package roottree

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
	"github.com/virt-sandbox/virt-sandbox/internal/overlay"
)

// etc is a tree with an overlay at /etc.
type etc struct {
	Tree
	content Content
	lower   string
	upper   string
}

func newEtc(t *testing.T, ids config.IDMap) *etc {
	lower, content := t.TempDir(), t.TempDir()
	lay(t, lower, "passwd", "issue", "web/host.conf", "web.d/host.conf", "gone", "places/")
	lay(t, content, "etc/passwd", "etc/web/own.conf", "etc/web.d/own.conf", ".own/work/")
	web, err := os.Open(content + "/etc/web")
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	for range 2 {
		if err := filetree.MarkOpaque(int(web.Fd())); err != nil {
			t.Skipf("no directory can be opaque here: %v", err)
		}
	}
	tree := Tree{Dir: filepath.Join(t.TempDir(), ".root-web/tree"), Sandbox: "web"}
	e := etc{Tree: tree, lower: lower, upper: content + "/etc"}
	e.content = Content{IDs: ids, View: View{Mounts: []Mount{
		{Lower: lower, Below: content, Source: "/etc", Work: ".own/work", Target: "/etc"},
		{Target: "/etc/places/new/deep", Memory: 1 << 20, Mode: 0o755},
	}}}
	return &e
}

func (e *etc) read(name string) string {
	text, err := os.ReadFile(filepath.Join(e.Dir, "etc", name))
	if err != nil {
		return "none"
	}
	return string(text)
}

func (e *etc) names(dir string) (names []string) {
	entries, _ := os.ReadDir(filepath.Join(e.Dir, "etc", dir))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// TestOverlay: what is the content's own comes first, an opaque directory has nothing of the host, all can be written
// to and deleted, and what is made lies in the content as root's; with ids of its own as with the host's.
func TestOverlay(t *testing.T) {
	for name, ids := range map[string]config.IDMap{"host's ids": {}, "own ids": {Base: 1 << 20, Count: 65536}} {
		t.Run(name, func(t *testing.T) {
			e := newEtc(t, ids)
			err := inOwnMounts(t, func() error {
				if err := errors.Join(e.makeDir(ids), e.build(&e.content)); err != nil {
					return err
				}
				for file, want := range map[string]string{
					"passwd": "etc/passwd", "issue": "issue", "web/own.conf": "etc/web/own.conf", "web/host.conf": "none",
					"web.d/own.conf": "etc/web.d/own.conf", "web.d/host.conf": "web.d/host.conf",
				} {
					if got := e.read(file); got != want {
						t.Errorf("%s is %q, want %q", file, got, want)
					}
				}
				if err := namespace.WithRootOf(uint32(ids.Base), e.change); err != nil {
					return err
				}
				e.seesChanges(t)
				return e.detach()
			})
			if err != nil {
				t.Fatal(err)
			}
			e.holdsChanges(t)
		})
	}
}

// change is what root of the container does.
func (e *etc) change() error {
	at := filepath.Join(e.Dir, "etc")
	return errors.Join(
		os.WriteFile(at+"/made", []byte("made"), 0o640), os.Remove(at+"/gone"), os.RemoveAll(at+"/web"),
		os.WriteFile(at+"/issue", []byte("changed"), 0o644),
	)
}

// seesChanges changes the content beside the overlay, as an upgrade does.
func (e *etc) seesChanges(t *testing.T) {
	var stat unix.Stat_t
	if err := unix.Stat(filepath.Join(e.Dir, "etc/made"), &stat); err != nil || stat.Uid != uint32(e.content.IDs.Base) {
		t.Errorf("what is made belongs to %d (%v)", stat.Uid, err)
	}
	if got := e.names(""); slices.Contains(got, "gone") || slices.Contains(got, "web") || !slices.Contains(got, "made") {
		t.Errorf("/etc has %q", got)
	}
	if got := e.names("places/new"); !slices.Equal(got, []string{"deep"}) {
		t.Errorf("mount point was made: %q", got)
	}
	e.read("web.d/late.conf")
	for file, text := range map[string]string{"own.conf": "upgraded", "late.conf": "late"} {
		beside := filepath.Join(e.upper, "new")
		err := errors.Join(os.WriteFile(beside, []byte(text), 0o644),
			os.Rename(beside, filepath.Join(e.upper, "web.d", file)))
		if err != nil {
			t.Error(err)
		}
	}
	root, err := os.Open(filepath.Join(e.Dir, "etc"))
	if err != nil {
		t.Error(err)
		return
	}
	defer root.Close()
	if err := overlay.Refresh(int(root.Fd())); err != nil {
		t.Error(err)
	}
	if got := e.read("web.d/own.conf") + " " + e.read("web.d/late.conf"); got != "upgraded late" {
		t.Errorf("after a change beside it: %q", got)
	}
	above, err := os.Open(e.Dir)
	if err != nil {
		t.Error(err)
		return
	}
	defer above.Close()
	if err := overlay.Refresh(int(above.Fd())); err != nil {
		t.Errorf("what is no overlay: %v", err)
	}
}

func (e *etc) holdsChanges(t *testing.T) {
	for _, name := range []string{"made", "gone", "web", "issue"} {
		var stat unix.Stat_t
		if err := unix.Lstat(filepath.Join(e.upper, name), &stat); err != nil || stat.Uid != 0 || stat.Gid != 0 {
			t.Errorf("%s belongs to %d:%d in the content (%v)", name, stat.Uid, stat.Gid, err)
		}
		if got, want := filetree.IsWhiteout(&stat), name == "gone" || name == "web"; got != want {
			t.Errorf("%s stands for a deleted file: %t", name, got)
		}
	}
	if text, err := os.ReadFile(e.lower + "/issue"); err != nil || string(text) != "issue" {
		t.Errorf("the host's is %q (%v)", text, err)
	}
}

// TestUnfit: content where no overlay can be written to is refused, with what to do about it.
func TestUnfit(t *testing.T) {
	e := newEtc(t, config.IDMap{})
	err := inOwnMounts(t, func() error {
		// A read-only file system.
		content := filepath.Dir(e.upper)
		if err := unix.Mount(content, content, "", unix.MS_BIND, ""); err != nil {
			return err
		}
		if err := unix.Mount("", content, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			return err
		}
		if err := e.makeDir(e.content.IDs); err != nil {
			return err
		}
		if err := e.build(&e.content); !errors.Is(err, ErrNoOverlay) {
			t.Errorf("got %v", err)
		}
		return e.detach()
	})
	if err != nil {
		t.Fatal(err)
	}
}
