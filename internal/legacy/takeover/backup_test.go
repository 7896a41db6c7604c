// SPDX-License-Identifier: Apache-2.0

package takeover

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/legacy"
	"github.com/virt-sandbox/virt-sandbox/internal/unitstub"
)

// newRemains returns the places of the sandbox web1 on an empty host, whose root it returns too.
func newRemains(t *testing.T) (Remains, string) {
	t.Helper()
	root := t.TempDir()
	store := config.Store{Dir: root + config.DefaultDir}
	stubs := unitstub.Files{Root: root, Store: store}
	return Remains{Name: "web1", Configs: legacy.Configs{Store: store}, Stubs: stubs}, root
}

// put writes a file with the directories above it; a text that begins with -> makes a link.
func put(t *testing.T, file, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	target, isLink := strings.CutPrefix(text, "-> ")
	switch {
	case err != nil:
	case isLink:
		err = os.Symlink(target, file)
	default:
		err = os.WriteFile(file, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// listed returns what is below a root, without directories that have something.
func listed(t *testing.T, root string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			entries, err := os.ReadDir(p)
			if err != nil || len(entries) > 0 {
				return err
			}
		}
		found = append(found, strings.TrimPrefix(p, root))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func text(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestLinkBackup: a file has both names, once and again, and no other file is overwritten.
func TestLinkBackup(t *testing.T) {
	dir := t.TempDir()
	file := dir + "/web1.sandbox"
	if err := LinkBackup(file); err == nil {
		t.Error("a file that is not there is kept")
	}
	put(t, file, "legacy")
	for range 2 {
		if err := LinkBackup(file); err != nil {
			t.Fatal(err)
		}
	}
	if got := text(t, file) + text(t, file+".orig"); got != "legacylegacy" {
		t.Errorf("the names have %q", got)
	}
	if err := moveToBackup(file); err != nil {
		t.Fatal(err)
	}
	if got := listed(t, dir); !slices.Equal(got, []string{"/web1.sandbox.orig"}) {
		t.Errorf("moved, there are %q", got)
	}
	put(t, file, "another")
	for _, step := range []func(string) error{LinkBackup, moveToBackup} {
		err := step(file)
		if err == nil || !strings.Contains(err.Error(), file+".orig is there already; move it away") {
			t.Errorf("another file's backup: %v", err)
		}
	}
	if text(t, file) != "another" || text(t, file+".orig") != "legacy" {
		t.Error("a refusal changed a file")
	}
}

// TestMoveConfig: the config in a directory of its own becomes a backup, which tells of the upgrade.
func TestMoveConfig(t *testing.T) {
	r, root := newRemains(t)
	if err := r.MoveConfig(); err != nil || r.HasBackup() {
		t.Errorf("with no config: %v, %t", err, r.HasBackup())
	}
	put(t, r.Configs.Path("web1"), "legacy")
	for range 2 {
		if err := r.MoveConfig(); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{config.DefaultDir + "/web1/config/sandbox.cfg.orig"}
	if got := listed(t, root); !slices.Equal(got, want) || !r.HasBackup() {
		t.Errorf("there are %q, %t", got, r.HasBackup())
	}
	r, _ = newRemains(t)
	put(t, r.Configs.Store.Path("web1")+".orig", "legacy")
	if !r.HasBackup() {
		t.Error("the backup of a config at the shared place is not found")
	}
}

// TestRemoveBackups: all that was kept of a sandbox goes, and nothing of others.
func TestRemoveBackups(t *testing.T) {
	r, root := newRemains(t)
	configs, unitDir := r.Configs.Store.Dir+"/", r.Stubs.Dir()+"/"
	for file, text := range map[string]string{
		configs + "web1.sandbox.orig": "", configs + "web1/config/sandbox.cfg.orig": "",
		unitDir + "web1_sandbox.service.orig": "", unitDir + "httpd@web1.service.orig": laterText,
		// What stays:
		configs + "web1.sandbox": "", configs + "web10.sandbox.orig": "",
		unitDir + "httpd@web1.service": "", unitDir + "other@web1.service.orig": "[Service]\nExecStart=/bin/true\n",
	} {
		put(t, file, text)
	}
	want := []string{
		"/etc/libvirt-sandbox/services/web1.sandbox", "/etc/libvirt-sandbox/services/web10.sandbox.orig",
		"/etc/systemd/system/httpd@web1.service", "/etc/systemd/system/other@web1.service.orig",
	}
	for range 2 {
		if err := r.RemoveBackups(); err != nil {
			t.Fatal(err)
		}
		if got := listed(t, root); !slices.Equal(got, want) {
			t.Errorf("there are %q", got)
		}
	}
	own := configs + "web1/config/notes"
	put(t, own, "an administrator's")
	if err := r.RemoveBackups(); err != nil || text(t, own) == "" {
		t.Errorf("beside an administrator's file: %v", err)
	}
}
