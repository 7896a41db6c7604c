// SPDX-License-Identifier: Apache-2.0

package editing

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/statefile"
)

// host has configs in three directories, and an editor of them.
type host struct {
	*testing.T
	Editor
	said []string
}

func newHost(t *testing.T, files map[string]string) *host {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	top := t.TempDir()
	h := &host{T: t}
	h.Editor = Editor{
		Configs: config.Store{Dir: top + "/etc", Lower: [2]string{top + "/run", top + "/usr"},
			States: statefile.Dir(top + "/states")},
		Lock:   func(context.Context, string) (*lockfile.Lock, error) { return nil, nil },
		IsUp:   func(name string) bool { return name == "web@a" },
		Reload: func(context.Context) error { h.said = append(h.said, "reload"); return nil },
		Warn:   func(format string, args ...any) { h.said = append(h.said, fmt.Sprintf(format, args...)) },
	}
	for file, text := range files {
		file = filepath.Join(top, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		err := os.WriteFile(file, []byte(text), 0o644)
		if target, isLink := strings.CutPrefix(text, "-> "); isLink {
			os.Remove(file)
			err = os.Symlink(target, file)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// edit has a person add a text, and returns what was said of it.
func (h *host) edit(target Target, text string) string {
	h.Helper()
	h.said = nil
	add := func(file string) error {
		f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(text)
			f.Close()
		}
		return err
	}
	if err := h.Edit(h.Context(), target, add, func(error) bool { return false }); err != nil {
		return err.Error()
	}
	return strings.Join(h.said, "; ")
}

const plain = "[sandbox]\nformat=2\nunit=x.service\n"

func webs(t *testing.T) *host {
	t.Helper()
	return newHost(t, map[string]string{
		"etc/own.sandbox": plain, "usr/lower.sandbox": plain, "etc/linked.sandbox": "-> ../elsewhere", "elsewhere": plain,
		"etc/web@.sandbox": plain, "etc/web@a.sandbox": "-> web@.sandbox", "etc/web@b.sandbox": "-> web@.sandbox",
		"etc/m.sandbox": "-> /dev/null",
	})
}

// TestEditOnlyOwn: what is a link, or lies where administrators do not write, is not written; what to edit is told.
func TestEditOnlyOwn(t *testing.T) {
	h := webs(t)
	for name, want := range map[string]string{
		"web@a": "edit web@ edits that, and edit DropIn web@a", "lower": "is not an administrator's; edit DropIn lower",
		"linked": "is a link to ../elsewhere; edit that", "m": "m is masked by ", "none": "no such sandbox",
		"a/b": "must match", "x@": "no such sandbox",
	} {
		if got := h.edit(Target{Name: name}, "[limits]\nmemory=1G\n"); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := h.edit(Target{Name: "own"}, "[limits]\nmemory=1G\n"); got != "reload" {
		t.Error(got)
	}
}

// TestEditTemplate: a template is checked with all that it is for, and says which of them run.
func TestEditTemplate(t *testing.T) {
	h := webs(t)
	if got := h.edit(Target{Name: "web@"}, "[limits]\nmemory=1X\n"); !strings.Contains(got, "web@.sandbox:5: \"1X\"") {
		t.Error(got)
	}
	want := "web@a is running: what was changed takes effect at its next start; reload"
	if got := h.edit(Target{Name: "web@"}, "[limits]\nmemory=3G\n"); got != want {
		t.Error(got)
	}
	for _, name := range []string{"web@a", "web@b"} {
		if s, err := h.Configs.Load(name); err != nil || s.Limits.Memory != 3<<30 {
			t.Errorf("%+v, %v", s, err)
		}
	}
}

// TestEditDropIn adds to configs that are not to be written, and is gone with what it says.
func TestEditDropIn(t *testing.T) {
	h := webs(t)
	for _, name := range []string{"own", "lower", "linked", "web@b", "web@"} {
		target := Target{Name: name, DropIn: true}
		file := filepath.Join(h.Configs.Dir, name+".sandbox.d", "override.conf")
		if got := h.edit(target, "[limits]\nmemroy=1G\n"); !strings.Contains(got, "unknown key") ||
			!strings.Contains(got, "did you mean \"memory\"") {
			t.Errorf("%s: %s", name, got)
		}
		if got := h.edit(target, ""); got != "nothing was changed" {
			t.Errorf("%s: %s", name, got)
		}
		if _, err := os.Stat(filepath.Dir(file)); err == nil {
			t.Errorf("%s: a drop-in was made", name)
		}
		if got := h.edit(target, "[limits]\nmemory=1G\n[environment]\nA=secret\n"); !strings.HasSuffix(got, "reload") {
			t.Errorf("%s: %s", name, got)
		}
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		of := strings.Replace(name, "web@", "web@b", 1)
		if s, err := h.Configs.Load(strings.Replace(of, "bb", "b", 1)); err != nil || s.Limits.Memory != 1<<30 {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		empty := func(file string) error { return os.WriteFile(file, []byte("# nothing\n"), 0o600) }
		if err := h.Edit(t.Context(), target, empty, func(error) bool { return false }); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Dir(file)); err == nil {
			t.Errorf("%s: the drop-in that says nothing is still there", name)
		}
	}
	if got := h.edit(Target{Name: "own", DropIn: true}, "[sandbox]\nuuid=0c7f6a0a-0000-4000-8000-00000000000f\n"); got !=
		"reload" {
		t.Errorf("a uuid that nobody had: %s", got)
	}
	if got := h.edit(Target{Name: "m", DropIn: true}, "[limits]\n"); !strings.Contains(got, "m is masked by ") {
		t.Error(got)
	}
}
