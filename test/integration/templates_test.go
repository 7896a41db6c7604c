// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// treeOf tells of each file below a directory when it was written and what it is.
func treeOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil {
			found[path] = info.Mode().String() + " " + info.ModTime().String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// put writes a file for the time of the test.
func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// One template makes several sandboxes, each with its own content, name and state; one drop-in changes all of them; and
// neither a start nor a stop writes anything to the directory of configs.
func TestTemplate(t *testing.T) {
	rig.On(t, rig.Native)
	names := []string{"t-tpl@a", "t-tpl@b-1"}
	template, dropIns := configDir+"/t-tpl@.sandbox", configDir+"/t-tpl@.sandbox.d"
	t.Cleanup(func() {
		for _, name := range names {
			remove(t, name)
		}
		if err := os.RemoveAll(dropIns); err != nil {
			t.Error(err)
		}
		if err := os.Remove(template); err != nil {
			t.Error(err)
		}
	})
	put(t, template, "[sandbox]\nformat=2\n[command]\nargument=/bin/sleep\nargument=1000\n[environment]\nWHO=%i of %p\n")
	refused(t, run(t, "create", "--template", "t-tpl", "-u", "apache2", "a"), "exclude each other")
	refused(t, run(t, "create", "t-tpl@a", "--", "/bin/true"), "make it of its template with --template t-tpl@")
	must(t, "create", "--template", "t-tpl@", "a", "t-tpl@b-1")
	for _, name := range names {
		if target, err := os.Readlink(configDir + "/" + name + ".sandbox"); err != nil || target != "t-tpl@.sandbox" {
			t.Errorf("%s is a link to %s, %v", name, target, err)
		}
	}
	refused(t, run(t, "create", "--template", "t-tpl@", "a"), "exists already")
	before := treeOf(t, configDir)
	must(t, append([]string{"start"}, names...)...)
	if got := inside(t, "t-tpl@b-1", "echo $WHO; hostname"); got != "b-1 of t-tpl\nt-tpl-b-1\n" {
		t.Errorf("inside: %q", got)
	}
	must(t, append([]string{"stop"}, names...)...)
	for file, was := range before {
		if now := treeOf(t, configDir)[file]; now != was {
			t.Errorf("%s was %s and is %s", file, was, now)
		}
	}
	put(t, dropIns+"/10-all.conf", "[limits]\nmemory=300M\n[environment]\nWHO=all\n")
	before = treeOf(t, configDir)
	must(t, append([]string{"start"}, names...)...)
	for _, name := range names {
		if got := inside(t, name, "echo $WHO"); got != "all\n" {
			t.Errorf("%s: %q", name, got)
		}
		if got := must(t, "show", name); !strings.Contains(got, dropIns+"/10-all.conf:2") {
			t.Errorf("show: %s", got)
		}
	}
	if now := treeOf(t, configDir); len(now) != len(before) {
		t.Errorf("configs were %v and are %v", before, now)
	}
	remove(t, "t-tpl@a")
	if _, err := os.Lstat(configDir + "/t-tpl@a.sandbox"); err == nil {
		t.Error("its link is there after delete")
	}
}
