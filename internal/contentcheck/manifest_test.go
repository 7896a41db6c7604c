// SPDX-License-Identifier: Apache-2.0

package contentcheck

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

func TestCheckManifest(t *testing.T) {
	tree := map[string]string{
		"/etc/d/a": "a", "/etc/d/b": "b", "/etc/d/c": "c", "/etc/d/link": "-> a", "/etc/d/sub/x": "x",
		"/etc/d/sub/deep/y": "y",
		"/var/lib/d/owned":  "owned",
	}
	h := content.Host{Root: hosttest.Root(t, nil)}
	h.Packages = []pkgdb.Database{hosttest.Packages{hosttest.Ship(t, h.Root, tree)}}
	hosttest.Add(t, h.Root, map[string]string{"/var/lib/d/data": "data"})
	s := box(t, "/etc/d", "/var/lib/d")
	prepare(t, h, s)
	found := func() []string {
		t.Helper()
		findings, err := Manifest(context.Background(), h, s)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, f := range findings {
			lines = append(lines, strings.ReplaceAll(f.String(), s.Content, ""))
		}
		return lines
	}
	if got := found(); len(got) > 0 {
		t.Errorf("of new content: %q", got)
	}
	hosttest.Edit(t, s.Content, "/etc/d/a", "changed")
	hosttest.Edit(t, s.Content, "/var/lib/d/data", "gone")
	if got := found(); len(got) > 0 {
		t.Errorf("after changes that are nobody else's business: %q", got)
	}
	hosttest.Edit(t, s.Content, "/etc/d/sub", "whiteout")
	if got := found(); len(got) > 0 {
		t.Errorf("of what was deleted inside: %q", got)
	}
	outside := t.TempDir()
	if err := os.WriteFile(outside+"/x", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	hosttest.Edit(t, s.Content, "/etc/d/b", "gone")
	hosttest.Edit(t, s.Content, "/etc/d/c", "fifo")
	hosttest.Edit(t, s.Content, "/etc/d/link", "directory")
	hosttest.Edit(t, s.Content, "/etc/d/sub", "gone")
	hosttest.Edit(t, s.Content, "/var/lib/d/owned", "gone")
	want := []string{
		"/etc/d/b: missing: was put there as a file",
		"/etc/d/c: type: is a special file, and was put there as a file",
		"/etc/d/link: type: is a directory, and was put there as a symlink",
		"/etc/d/sub: missing: was put there as a directory",
		"/var/lib/d/owned: missing: was put there as a file",
	}
	if got := found(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	hosttest.Edit(t, s.Content, "/etc/d/sub", "-> "+outside)
	want[3] = "/etc/d/sub: type: is a symlink, and was put there as a directory"
	if got := found(); !slices.Equal(got, want) {
		t.Errorf("behind a link: got  %q\nwant %q", got, want)
	}
	if err := os.Remove(s.Content + "/" + filestate.ManifestName); err != nil {
		t.Fatal(err)
	}
	if got := found(); len(got) != 1 || !strings.Contains(got[0], "manifest: missing: ") {
		t.Errorf("without a manifest: %q", got)
	}
}
