// SPDX-License-Identifier: Apache-2.0

package contentupgrade

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

func upgraded(t *testing.T, h fakeHost, s *config.Sandbox, options Options) []string {
	t.Helper()
	changes, err := Run(context.Background(), h.Host, s, options)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range changes {
		lines = append(lines, c.String())
	}
	return lines
}

// TestUpgradeRules is each way in which one file can have changed in the package, on the host and in the container.
func TestUpgradeRules(t *testing.T) {
	const file = "/etc/d/file"
	for _, test := range []struct {
		name       string
		old        string         // of the package, "" for none
		hostEdit   string         // of the host's file, before the create
		mine       string         // edit in the container, "" for none
		new        string         // of the package
		hostNow    string         // the host's file after its upgrade, where it is not the package's
		beside     string         // what the package manager left beside it
		action     content.Action // "" for none
		want       string         // in the container
		wantBeside string
	}{
		{name: "unchanged everywhere", old: "1", new: "1", want: "1"},
		{name: "follows", old: "1", new: "2", action: content.ActionUpdated, want: "2"},
		{name: "follows, with MD5", old: "md5 1", new: "md5 2", action: content.ActionUpdated, want: "md5 2"},
		{name: "changed inside alone", old: "1", mine: "mine", new: "1", action: content.ActionKept, want: "mine"},
		{name: "changed on both sides", old: "1", mine: "mine", new: "2", action: content.ActionConflict, want: "mine",
			wantBeside: "2"},
		{name: "changed inside to what is new", old: "1", mine: "2", new: "2", want: "2"},
		{name: "removed inside", old: "1", mine: "gone", new: "2", action: content.ActionKept, want: "none"},
		{name: "deleted inside, over the host's", old: "1", mine: "whiteout", new: "2", action: content.ActionKept,
			want: "Dc---------"},
		{name: "new", new: "2", action: content.ActionAdded, want: "2"},
		{name: "new, and made inside", mine: "mine", new: "2", action: content.ActionConflict, want: "mine", wantBeside: "2"},
		{name: "a link inside", old: "1", mine: "-> /etc/passwd", new: "2", action: content.ActionConflict,
			want: "-> /etc/passwd", wantBeside: "2"},
		{name: "a FIFO inside", old: "1", mine: "fifo", new: "2", action: content.ActionConflict, want: "p---------",
			wantBeside: "2"},
		{name: "a directory inside", old: "1", mine: "directory", new: "2", action: content.ActionBlocked,
			want: "d---------"},
		{name: "edited on the host before, replaced there", old: "1", hostEdit: "edited", new: "2",
			action: content.ActionConflict, want: "edited", wantBeside: "2"},
		{name: "edited on the host before, kept there", old: "1", hostEdit: "edited", new: "2", hostNow: "edited",
			beside: "2", action: content.ActionConflict, want: "edited", wantBeside: "2"},
		{name: "edited on the host before, the package is the same", old: "1", hostEdit: "edited", new: "1",
			hostNow: "edited", action: content.ActionKept, want: "edited"},
		{name: "edited on the host later", old: "1", new: "2", hostNow: "edited", beside: "2", action: content.ActionUpdated,
			want: "2"},
		{name: "edited on the host later, nowhere to be had", old: "1", new: "2", hostNow: "edited",
			action: content.ActionUnavailable, want: "1"},
		{name: "something else lies beside it", old: "1", new: "2", hostNow: "edited", beside: "3",
			action: content.ActionUnavailable, want: "1"},
		{name: "new, and edited on the host", new: "2", hostNow: "edited", action: content.ActionAdded, want: "edited"},
		{name: "a link follows", old: "-> a", new: "-> b", action: content.ActionUpdated, want: "-> b"},
		{name: "a link that was changed inside", old: "-> a", mine: "-> c", new: "-> b", action: content.ActionConflict,
			want: "-> c", wantBeside: "-> b"},
		{name: "a file becomes a link", old: "1", new: "-> b", action: content.ActionUpdated, want: "-> b"},
		{name: "a link becomes a file", old: "-> a", new: "2", action: content.ActionUpdated, want: "2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t, nil)
			old := map[string]string{"/etc/d/": "", "/etc/d/other": "other"}
			if test.old != "" {
				old[file] = test.old
			}
			h.ship(old)
			if test.hostEdit != "" {
				h.put(file, test.hostEdit)
			}
			s := box(t, "/etc/d")
			prepare(t, h, s)
			if test.mine != "" {
				hosttest.Edit(t, s.Content, file, test.mine)
			}
			h.ship(map[string]string{"/etc/d/": "", "/etc/d/other": "other", file: test.new})
			if test.hostNow != "" {
				h.put(file, test.hostNow)
			}
			if test.beside != "" {
				h.put(file+".rpmnew", test.beside)
			}
			before := hosttest.Snapshot(t, s.Content)
			dry := upgraded(t, h, s, Options{DryRun: true})
			hosttest.CheckSame(t, "a dry run", hosttest.Snapshot(t, s.Content), before)
			got := upgraded(t, h, s, Options{})
			var want []string
			if test.action != "" {
				want = []string{content.Change{Path: file, Action: test.action}.String()}
			}
			if test.wantBeside != "" {
				want = []string{content.Change{Path: file, Action: test.action, Beside: file + ".rpmnew"}.String()}
			}
			if !slices.Equal(got, want) || !slices.Equal(dry, want) {
				t.Errorf("says %q, and a dry run %q; want %q", got, dry, want)
			}
			if text := hosttest.Reads(t, s.Content, file); text != test.want {
				t.Errorf("has %q, want %q", text, test.want)
			}
			if text, want := hosttest.Reads(t, s.Content, file+".rpmnew"), test.wantBeside; text != want &&
				(want != "" || text != "none") {
				t.Errorf("beside it lies %q, want %q", text, want)
			}
			// Once more there is nothing to do.
			for _, line := range upgraded(t, h, s, Options{}) {
				if word, _, _ := strings.Cut(line, " "); content.Action(word).Changes() {
					t.Errorf("a second run: %s", line)
				}
			}
		})
	}
}

// TestUpgradeOfDeletedDirectory: of a directory that was deleted inside nothing comes back.
func TestUpgradeOfDeletedDirectory(t *testing.T) {
	h := newHost(t, nil)
	h.ship(map[string]string{"/etc/d/": "", "/etc/d/f": "1", "/etc/d/sub/": "", "/etc/d/sub/f": "1"})
	s := box(t, "/etc/d")
	prepare(t, h, s)
	hosttest.Edit(t, s.Content, "/etc/d", "whiteout")
	h.ship(map[string]string{"/etc/d/": "", "/etc/d/f": "2", "/etc/d/sub/": "", "/etc/d/sub/f": "2", "/etc/d/new": "2"})
	want := []string{"kept /etc/d/f", "kept /etc/d/sub/f"}
	if got := upgraded(t, h, s, Options{}); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := hosttest.Reads(t, s.Content, "/etc/d"); got != "Dc---------" {
		t.Errorf("what was deleted is %s", got)
	}
}

// TestUpgradeDropped: what a package has no more is told of, and goes only on request and only where nobody changed it.
func TestUpgradeDropped(t *testing.T) {
	h := newHost(t, nil)
	h.ship(map[string]string{"/etc/d/": "", "/etc/d/same": "1", "/etc/d/edited": "1", "/etc/d/gone": "1"})
	s := box(t, "/etc/d")
	prepare(t, h, s)
	hosttest.Edit(t, s.Content, "/etc/d/edited", "mine")
	hosttest.Edit(t, s.Content, "/etc/d/gone", "gone")
	h.ship(map[string]string{"/etc/d/": ""})
	want := []string{"dropped /etc/d/edited", "dropped /etc/d/same"}
	for range 2 {
		got := upgraded(t, h, s, Options{})
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("says %q, want %q", got, want)
		}
	}
	got := upgraded(t, h, s, Options{RemoveDropped: true})
	slices.Sort(got)
	if want := []string{"dropped /etc/d/edited", "removed /etc/d/same"}; !slices.Equal(got, want) {
		t.Errorf("with RemoveDropped it says %q, want %q", got, want)
	}
	if hosttest.Reads(t, s.Content, "/etc/d/same") != "none" || hosttest.Reads(t, s.Content, "/etc/d/edited") != "mine" {
		t.Error("removed the wrong file")
	}
	// One that comes back is new.
	h.ship(map[string]string{"/etc/d/": "", "/etc/d/same": "2"})
	if got := upgraded(t, h, s, Options{}); !slices.Contains(got, "added /etc/d/same") {
		t.Errorf("one that came back: %q", got)
	}
}

// TestUpgradeNewVersionsBeside do not overwrite each other's changes.
func TestUpgradeNewVersionsBeside(t *testing.T) {
	h := newHost(t, nil)
	h.ship(map[string]string{"/etc/d/": "", "/etc/d/file": "1"})
	s := box(t, "/etc/d")
	prepare(t, h, s)
	hosttest.Edit(t, s.Content, "/etc/d/file", "mine")
	for _, step := range []struct {
		version, edit, want string
	}{
		{"2", "", "conflict /etc/d/file (the package's is /etc/d/file.rpmnew)"},
		{"3", "", "conflict /etc/d/file (the package's is /etc/d/file.rpmnew)"},
		{"4", "/etc/d/file.rpmnew", "conflict /etc/d/file (the package's is /etc/d/file.rpmnew.2)"},
	} {
		if step.edit != "" {
			hosttest.Edit(t, s.Content, step.edit, "notes of a person")
		}
		h.ship(map[string]string{"/etc/d/": "", "/etc/d/file": step.version})
		if got := upgraded(t, h, s, Options{}); !slices.Equal(got, []string{step.want}) {
			t.Errorf("version %s: %q, want %q", step.version, got, step.want)
		}
	}
	for p, want := range map[string]string{"/etc/d/file": "mine", "/etc/d/file.rpmnew": "notes of a person",
		"/etc/d/file.rpmnew.2": "4"} {
		if got := hosttest.Reads(t, s.Content, p); got != want {
			t.Errorf("%s has %q, want %q", p, got, want)
		}
	}
	// A person takes the new one: from then on the file follows again.
	hosttest.Edit(t, s.Content, "/etc/d/file", "4")
	upgraded(t, h, s, Options{})
	h.ship(map[string]string{"/etc/d/": "", "/etc/d/file": "5"})
	if got := upgraded(t, h, s, Options{}); !slices.Equal(got, []string{"updated /etc/d/file"}) {
		t.Errorf("after the merge: %q", got)
	}
}

// TestUpgradeFollowsModes where they were not changed inside, and keeps those that were.
func TestUpgradeFollowsModes(t *testing.T) {
	h := newHost(t, nil)
	tree := map[string]string{"/etc/d/": "", "/etc/d/a": "1", "/etc/d/b": "1", "/etc/d/c": "1", "/etc/d/sub/": ""}
	h.ship(tree)
	s := box(t, "/etc/d")
	prepare(t, h, s)
	chmod := func(root string, mode os.FileMode, paths ...string) {
		for _, p := range paths {
			if err := os.Chmod(root+p, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	chmod(s.Content, 0o604, "/etc/d/b", "/etc/d/c")
	tree["/etc/d/c"] = "2"
	h.ship(tree)
	chmod(h.Root, 0o640, "/etc/d/a", "/etc/d/b", "/etc/d/c")
	chmod(h.Root, 0o750, "/etc/d/sub")
	db := h.Packages[0].(hosttest.Packages)
	for i := range db[0].Files {
		switch f := &db[0].Files[i]; f.Path {
		case "/etc/d/a", "/etc/d/b", "/etc/d/c":
			f.Mode = 0o640
		case "/etc/d/sub":
			f.Mode = os.ModeDir | 0o750
		}
	}
	want := []string{"updated /etc/d/a", "updated /etc/d/c", "updated /etc/d/sub"}
	if got := upgraded(t, h, s, Options{}); !slices.Equal(got, want) {
		t.Errorf("says %q, want %q", got, want)
	}
	for p, want := range map[string]os.FileMode{"/etc/d/a": 0o640, "/etc/d/b": 0o604, "/etc/d/c": 0o604,
		"/etc/d/sub": 0o750} {
		if info, err := os.Stat(s.Content + p); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has the mode %v, want %v (%v)", p, info.Mode(), want, err)
		}
	}
}

// TestUpgradeMakesParents of new files, unless the container removed them.
func TestUpgradeMakesParents(t *testing.T) {
	h := newHost(t, nil)
	h.ship(map[string]string{"/etc/d/": "", "/etc/d/removed/a": "1"})
	s := box(t, "/etc/d")
	prepare(t, h, s)
	hosttest.Edit(t, s.Content, "/etc/d/removed", "gone")
	h.ship(map[string]string{"/etc/d/": "", "/etc/d/removed/a": "1", "/etc/d/removed/b": "1", "/etc/d/new/deep/c": "1"})
	if got := upgraded(t, h, s, Options{}); !slices.Equal(got, []string{"added /etc/d/new/deep/c"}) {
		t.Errorf("says %q", got)
	}
	if got := hosttest.Reads(t, s.Content, "/etc/d/new/deep/c"); got != "1" {
		t.Errorf("has %q", got)
	}
}

// TestUpgradeIsNotLedOut by what root in the container made of its directories.
func TestUpgradeIsNotLedOut(t *testing.T) {
	for _, way := range []string{"-> ../../../outside", "-> /etc", "-> ../e", "-> ../../.virt-sandbox", "fifo"} {
		t.Run(way, func(t *testing.T) {
			h := newHost(t, nil)
			h.ship(map[string]string{"/etc/d/": "", "/etc/d/sub/": "", "/etc/d/sub/a": "1", "/etc/e/": ""})
			s := box(t, "/etc/d", "/etc/e")
			prepare(t, h, s)
			outside := filepath.Join(filepath.Dir(s.Content), "outside")
			if err := os.Mkdir(outside, 0o755); err != nil {
				t.Fatal(err)
			}
			hosttest.Edit(t, s.Content, "/etc/d/sub", way)
			h.ship(map[string]string{"/etc/d/": "", "/etc/d/sub/": "", "/etc/d/sub/a": "2", "/etc/d/sub/b": "2", "/etc/e/": ""})
			for _, line := range upgraded(t, h, s, Options{RemoveDropped: true}) {
				if !strings.HasPrefix(line, "blocked ") {
					t.Error(line)
				}
			}
			for _, dir := range []string{outside, s.Content + "/etc/e", s.Content + "/" + filestate.OwnDir} {
				for _, name := range []string{"a", "b"} {
					if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
						t.Errorf("%s was written to %s", name, dir)
					}
				}
			}
		})
	}
	t.Run("host", func(t *testing.T) {
		// A user of the host who owns a directory of the package cannot have the upgrade read another's files for it.
		h := newHost(t, map[string]string{"/etc/secret": "secret"})
		h.ship(map[string]string{"/var/lib/d/": "", "/var/lib/d/a": "1"})
		s := box(t, "/var/lib/d")
		prepare(t, h, s)
		h.ship(map[string]string{"/var/lib/d/": "", "/var/lib/d/a": "2", "/var/lib/d/b": "2"})
		h.put("/var/lib/d/a", "-> /etc/secret")
		h.put("/var/lib/d/b", "-> ../../../etc/secret")
		if got := upgraded(t, h, s, Options{}); !slices.Equal(got, []string{"unavailable /var/lib/d/a"}) {
			t.Errorf("says %q", got)
		}
		if a, b := hosttest.Reads(t, s.Content, "/var/lib/d/a"), hosttest.Reads(t, s.Content, "/var/lib/d/b"); a != "1" ||
			b != "none" {
			t.Errorf("has %q and %q", a, b)
		}
	})
}

// TestUpgradeOfBareContent touches no file: none of them was the package's.
func TestUpgradeOfBareContent(t *testing.T) {
	h := newHost(t, nil)
	h.ship(map[string]string{"/etc/d/": "", "/etc/f": "1"})
	s := box(t, "/etc/d", "/etc/f")
	s.Copy = false
	prepare(t, h, s)
	before := hosttest.Snapshot(t, s.Content)
	h.ship(map[string]string{"/etc/d/": "", "/etc/d/new": "2"})
	if got := upgraded(t, h, s, Options{RemoveDropped: true}); !slices.Equal(got, []string{"dropped /etc/f"}) {
		t.Errorf("says %q", got)
	}
	hosttest.CheckSame(t, "bare content", hosttest.Snapshot(t, s.Content), before)
}

// TestUpgradeRefusesUnfinishedContent, of which nobody knows what is whose.
func TestUpgradeRefusesUnfinishedContent(t *testing.T) {
	h := newHost(t, nil)
	s := box(t, "/etc/d")
	if _, err := Run(context.Background(), h.Host, s, Options{}); err == nil ||
		!strings.Contains(err.Error(), ErrIncomplete.Error()) {
		t.Errorf("error %v", err)
	}
}

// TestUpgradeInTheLastMoment: a file that is changed inside between the look and the exchange stays as it was changed.
func TestUpgradeInTheLastMoment(t *testing.T) {
	h := newHost(t, map[string]string{"/etc/d/file": "2"})
	s := box(t, "/etc/d")
	if err := os.MkdirAll(s.Content+"/"+filestate.OwnDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.Content+"/etc/d", 0o755); err != nil {
		t.Fatal(err)
	}
	hosttest.Edit(t, s.Content, "/etc/d/file", "changed just now")
	trees, err := filestate.OpenTrees(h.Root, s.Content)
	if err != nil {
		t.Fatal(err)
	}
	defer trees.Close()
	source, err := trees.LookOnHost("/etc/d/file")
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	at, err := trees.Find("/etc/d/file")
	if err != nil {
		t.Fatal(err)
	}
	defer at.Close()
	if _, err := trees.Put(source, nil); err != nil {
		t.Fatal(err)
	}
	done, err := trees.MoveOver(at, filestate.Entry{Type: "file", Digest: hosttest.SHA256("1"), Size: 1})
	if done || err != nil {
		t.Errorf("it was overwritten (%v)", err)
	}
	if got := hosttest.Reads(t, s.Content, "/etc/d/file"); got != "changed just now" {
		t.Errorf("has %q", got)
	}
	if err := trees.Clear(); err != nil {
		t.Error(err)
	}
}
