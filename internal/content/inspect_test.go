// SPDX-License-Identifier: Apache-2.0

package content

import (
	"os"
	"testing"
)

func TestInspect(t *testing.T) {
	cases := []struct {
		name string
		tree map[string]string // nil: no directory
		want State
	}{
		{"nothing", nil, Absent},
		{"empty directory", map[string]string{}, Absent},
		{"new file system", map[string]string{"/lost+found/": ""}, Absent},
		{"file system in which create was killed before it wrote its mark", map[string]string{"/lost+found/": "",
			"/.virt-sandbox/": ""}, Creating},
		{"files of somebody in a file system", map[string]string{"/lost+found/": "", "/etc/hosts": ""}, Foreign},
		{"a file of that name", map[string]string{"/lost+found": ""}, Foreign},
		{"create has begun", map[string]string{"/.virt-sandbox/creating": ""}, Creating},
		{"create has copied something", map[string]string{"/.virt-sandbox/creating": "", "/etc/hosts": ""}, Creating},
		{"create was killed before it wrote its mark", map[string]string{"/.virt-sandbox/": ""}, Creating},
		{"content", map[string]string{"/.virt-sandbox/manifest": "", "/etc/hosts": ""}, Ours},
		{"content, of whose deletion a part is left", map[string]string{"/.virt-sandbox/manifest": ""}, Ours},
		{"content without its manifest", map[string]string{"/.virt-sandbox/": "", "/etc/hosts": ""}, Ours},
		{"files of somebody", map[string]string{"/etc/hosts": ""}, Foreign},
		{"a file of our name", map[string]string{"/.virt-sandbox": ""}, Foreign},
		{"a link of our name", map[string]string{"/.virt-sandbox": "-> etc", "/etc/": ""}, Foreign},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir() + "/box"
			if c.tree != nil {
				fakeHost{Host{Root: dir}, t}.add(map[string]string{"/": ""})
				fakeHost{Host{Root: dir}, t}.add(c.tree)
			}
			if got, err := Inspect(dir); err != nil || got != c.want {
				t.Errorf("got %d, %v; want %d", got, err, c.want)
			}
		})
	}
}

func TestInspectWhatIsNoDirectory(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := Inspect(file); err == nil || got != Foreign {
		t.Errorf("got %d, %v; want an error and Foreign", got, err)
	}
}

// TestLifeOfContent: create marks, fills and unmarks it, delete removes it.
func TestLifeOfContent(t *testing.T) {
	h := newHost(t, nil)
	s := box(t)
	steps := []struct {
		name string
		step func() error
		want State
	}{
		{"mark", func() error { return h.MarkCreating(s) }, Creating},
		{"mark again", func() error { return h.MarkCreating(s) }, Creating},
		{"fill", func() error { prepare(t, h, s); return nil }, Creating},
		{"unmark", func() error { return UnmarkCreating(s.Content) }, Ours},
		{"unmark again", func() error { return UnmarkCreating(s.Content) }, Ours},
		{"remove", func() error { return h.Remove(s.Content) }, Absent},
		{"remove again", func() error { return h.Remove(s.Content) }, Absent},
	}
	for _, c := range steps {
		if err := c.step(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got, err := Inspect(s.Content); err != nil || got != c.want {
			t.Errorf("after %s: got %d, %v; want %d", c.name, got, err, c.want)
		}
	}
}
