// SPDX-License-Identifier: Apache-2.0

package configtree

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// treeOf makes three places, etc, run and usr, with files whose text is their path, or links where a target is given.
func treeOf(t *testing.T, files ...string) Tree {
	t.Helper()
	top := t.TempDir()
	for _, file := range files {
		path, target, isLink := strings.Cut(file, " -> ")
		path = filepath.Join(top, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		err := os.WriteFile(path, []byte(file), 0o644)
		if isLink {
			os.Remove(path)
			err = os.Symlink(target, path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return Tree{Places: []string{top + "/etc", top + "/run", top + "/usr"}, Limit: 1000}
}

// each calls check with the tree, and with one that is listed first: both must tell the same.
func each(t *testing.T, tree Tree, check func(Tree)) {
	t.Helper()
	check(tree)
	listed, err := tree.Listed()
	if err != nil {
		t.Fatal(err)
	}
	check(listed)
	check(listed)
}

// TestFragment: the config is that of the highest place; an instance's link to its template means the template, which
// itself is that of the highest place.
func TestFragment(t *testing.T) {
	tree := treeOf(t,
		"etc/a.sandbox", "run/a.sandbox", "usr/a.sandbox", "run/b.sandbox", "usr/b.sandbox", "usr/c.sandbox",
		"usr/web@.sandbox", "etc/web@1.sandbox -> /gone/web@.sandbox", "etc/web@2.sandbox",
		"usr/web@3.sandbox -> web@.sandbox",
		"usr/db@.sandbox", "etc/db@.sandbox", "etc/db@1.sandbox -> ../usr/db@.sandbox",
		"etc/x@1.sandbox -> x@.sandbox", "etc/none.sandbox -> /gone/a.sandbox",
		"etc/m.sandbox -> /dev/null", "usr/m.sandbox", "etc/n@.sandbox -> /dev/null", "usr/n@.sandbox",
		"usr/n@1.sandbox -> n@.sandbox", "etc/web@4.sandbox -> /dev/null", "etc/linked.sandbox -> ../elsewhere/x.sandbox",
		"elsewhere/x.sandbox")
	top := filepath.Dir(tree.Places[0])
	for name, want := range map[string]string{
		"a": "etc/a.sandbox", "b": "run/b.sandbox", "c": "usr/c.sandbox",
		"web@1": "usr/web@.sandbox", "web@2": "etc/web@2.sandbox", "web@3": "usr/web@.sandbox", "db@1": "etc/db@.sandbox",
		"linked": "etc/linked.sandbox",
		"none":   "it is a link to /gone/a.sandbox, which does not exist", "x@1": "its template x@.sandbox is in none of",
		"m": "m is masked by TOP/etc/m.sandbox", "n@1": "n@1 is masked by TOP/etc/n@.sandbox",
		"web@4": "web@4 is masked by TOP/etc/web@4.sandbox",
		"other": ErrNotFound.Error(), "web@5": ErrNotFound.Error(),
	} {
		each(t, tree, func(tree Tree) {
			f, file, err := tree.Fragment(name)
			got := strings.TrimPrefix(f.Path, top+"/")
			if err != nil {
				got = err.Error()
			}
			if want := strings.ReplaceAll(want, "TOP", top); got != want && (err == nil || !strings.Contains(got, want)) {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
			if err == nil && filepath.Base(file) != name+Suffix {
				t.Errorf("%s: its config is %s", name, file)
			}
		})
	}
	each(t, tree, func(tree Tree) {
		names, err := tree.Names()
		const want = "a b c db@ db@1 linked m n@ n@1 none web@ web@1 web@2 web@3 web@4 x@1"
		if got := strings.Join(names, " "); got != want || err != nil {
			t.Errorf("names %s, %v; want %s", got, err, want)
		}
	})
}

// TestDropInNames: what drop-ins can be called after is what systemd has for units with these names, in its order.
func TestDropInNames(t *testing.T) {
	for name, want := range map[string]string{
		"web": "web", "a-b-c": "a-b-c a-b- a-", "a--b": "a--b a-- a-", "a-": "a-", "web@1": "web@1 web@",
		"a-b@c-d": "a-b@c-d a-b@ a- a-@c-d a-@", "a.b-c": "a.b-c a.b-",
	} {
		if got := strings.Join(dropInNames(name), " "); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// TestDropIns: they count in the order of their names, whichever directory they are in; of one name the higher place
// counts, and there the nearer name; a link to /dev/null hides and says nothing.
func TestDropIns(t *testing.T) {
	tree := treeOf(t, "etc/big-web@1.sandbox",
		"usr/sandbox.d/10-all.conf", "usr/sandbox.d/99-all.conf", "etc/sandbox.d/20-masked.conf -> /dev/null",
		"usr/big-web@1.sandbox.d/20-masked.conf",
		"etc/big-@.sandbox.d/50-near.conf", "etc/big-web@.sandbox.d/50-near.conf", "usr/big-web@1.sandbox.d/50-near.conf",
		"usr/big-web@1.sandbox.d/30-place.conf", "run/sandbox.d/30-place.conf",
		"etc/big-@1.sandbox.d/40.conf", "etc/big-@1.sandbox.d/.hidden.conf", "etc/big-@1.sandbox.d/readme",
		"etc/big-@1.sandbox.d/40.conf~", "etc/big-.sandbox.d/45.conf", "etc/web@1.sandbox.d/no.conf",
		"usr/big-web@.sandbox.d/60.conf -> ../../elsewhere/x", "elsewhere/x",
		"usr/big-web@.sandbox.d/05-null.conf -> /dev/null", "etc/other.sandbox.d/no.conf")
	want := "usr/sandbox.d/10-all.conf usr/big-web@1.sandbox.d/20-masked.conf usr/big-web@1.sandbox.d/30-place.conf " +
		"etc/big-@1.sandbox.d/40.conf etc/big-.sandbox.d/45.conf etc/big-web@.sandbox.d/50-near.conf " +
		"usr/big-web@.sandbox.d/60.conf " +
		"usr/sandbox.d/99-all.conf"
	top := filepath.Dir(tree.Places[0])
	each(t, tree, func(tree Tree) {
		files, err := tree.DropIns("big-web@1")
		var got []string
		for _, f := range files {
			got = append(got, strings.TrimPrefix(f.Path, top+"/"))
			if !f.IsDropIn || f.Text == "" {
				t.Errorf("%+v", f)
			}
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("got  %s, %v\nwant %s", strings.Join(got, " "), err, want)
		}
	})
}

// TestDropInsThatCannotBeRead: a setting that is lost could be a bound.
func TestDropInsThatCannotBeRead(t *testing.T) {
	for _, file := range []string{"etc/a.sandbox.d/x.conf -> /gone", "etc/a.sandbox.d/x.conf/y", "etc/a.sandbox.d"} {
		tree := treeOf(t, "etc/a.sandbox", file)
		each(t, tree, func(tree Tree) {
			if files, err := tree.DropIns("a"); err == nil {
				t.Errorf("%s: got %v", file, files)
			}
		})
	}
}

func TestPlaces(t *testing.T) {
	tree := treeOf(t, "usr/a.sandbox")
	if got := tree.Path("a"); got != tree.Places[2]+"/a.sandbox" {
		t.Error(got)
	}
	if got := tree.Path("b"); got != tree.Places[0]+"/b.sandbox" {
		t.Error(got)
	}
	if !tree.Exists() || (Tree{Places: []string{t.TempDir() + "/gone"}}).Exists() {
		t.Error("places are not told from what is not there")
	}
	if _, _, err := (Tree{Places: []string{t.TempDir() + "/gone"}, Limit: 9}).Fragment("a"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	for name, want := range map[string]string{"web@a": "web@", "web": "", "web@": "", "a-b@c": "a-b@"} {
		if got, _ := Template(name); got != want {
			t.Errorf("%s is of %q", name, got)
		}
	}
	for name, want := range map[string]bool{"web@": true, "web": false, "web@a": false, "": false} {
		if IsTemplate(name) != want {
			t.Errorf("whether %q is a template is not %t", name, want)
		}
	}
}

// FuzzDropInNames: drop-ins for a name lie below the name itself and below every beginning of it that ends with a dash,
// each once, and below nothing else but the template's.
func FuzzDropInNames(f *testing.F) {
	for _, name := range []string{"web", "big-web-1", "web@a", "big-web@a-b", "-", "@", "a-@-", "ä-b@", "a:b-c@x"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		names := dropInNames(name)
		if _, err := unitname.Parse(name + ".service"); err != nil {
			if !slices.Equal(names, []string{name}) {
				t.Errorf("%q is no name, and has %q", name, names)
			}
			return
		}
		prefix, instance, isInstance := strings.Cut(name, "@")
		if IsTemplate(name) {
			return // It is no sandbox.
		}
		if isInstance {
			instance = "@" + instance
		}
		if sorted := slices.Sorted(slices.Values(names)); names[0] != name || len(slices.Compact(sorted)) != len(names) {
			t.Errorf("%q has %q", name, names)
		}
		for i, c := range prefix {
			if c == '-' && i > 0 && !slices.Contains(names, prefix[:i+1]+instance) {
				t.Errorf("%q lacks those of %q", name, prefix[:i+1]+instance)
			}
		}
		for _, n := range names {
			beginning, of, _ := strings.Cut(n, "@")
			if !strings.HasPrefix(prefix, beginning) || of != "" && "@"+of != instance {
				t.Errorf("%q has those of %q", name, n)
			}
		}
	})
}
