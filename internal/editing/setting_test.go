// SPDX-License-Identifier: Apache-2.0

package editing

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

// set changes limits as set-property does, and returns what is wrong.
func (h *host) set(name string, lines ...string) string {
	h.Helper()
	var settings []textmerge.Entry
	for _, line := range lines {
		key, value, _ := strings.Cut(line, "=")
		settings = append(settings, textmerge.Entry{Section: "limits", Key: key, Value: value})
	}
	c, err := h.With(name, settings)
	if err == nil {
		err = h.Write(name, c)
	}
	if err != nil {
		return err.Error()
	}
	if now, err := h.Configs.Load(name); err != nil || now.Limits != c.After.Limits {
		h.Errorf("%s %q: %+v, want %+v, %v", name, lines, now, c.After, err)
	}
	return ""
}

func (h *host) file(name string) string {
	text, err := os.ReadFile(filepath.Join(h.Configs.Dir, name))
	if err != nil {
		return "none"
	}
	return string(text)
}

// TestSetKeepsText: a person's comments and order stay, and what is set twice stands once.
func TestSetKeepsText(t *testing.T) {
	h := newHost(t, map[string]string{"etc/a.sandbox": "# mine\n[sandbox]\nformat=2\nunit=x.service\n\n[limits]\n" +
		"# enough\npids = 10\n; swap\nmemory=1G\n\n[environment]\nA=\"x y\"\n"})
	if wrong := h.set("a", "memory=2G", "cpus=1.5"); wrong != "" {
		t.Fatal(wrong)
	}
	want := "# mine\n[sandbox]\nformat=2\nunit=x.service\n\n[limits]\n# enough\npids = 10\n; swap\nmemory=2G\n" +
		"cpus=1.5\n\n[environment]\nA=\"x y\"\n"
	if got := h.file("a.sandbox"); got != want {
		t.Errorf("got %q", got)
	}
	if info, err := os.Stat(h.Configs.Path("a")); err != nil || info.Mode() != 0o600 {
		t.Errorf("a config with an environment: %v, %v", info, err)
	}
	if wrong := h.set("a", "memory=", "cpus="); wrong != "" {
		t.Fatal(wrong)
	}
	if got := h.file("a.sandbox"); got != strings.ReplaceAll(want, "memory=2G\ncpus=1.5\n", "") {
		t.Errorf("reset: %q", got)
	}
	if got := h.file("a.sandbox.d/set-property.conf"); got != "none" {
		t.Errorf("a drop-in: %q", got)
	}
	for _, bad := range []string{"memory=1X", "pids=-1", "cpus=0", "memory=1G\n[service]\nUser=x", "colour=blue"} {
		before := h.file("a.sandbox")
		if wrong := h.set("a", "cpus=2", bad); wrong == "" || h.file("a.sandbox") != before {
			t.Errorf("%q was taken: %s", bad, h.file("a.sandbox"))
		}
	}
}

// TestSetBesideConfigs: what the config cannot say is said in a drop-in, which goes when it says nothing.
func TestSetBesideConfigs(t *testing.T) {
	files := map[string]string{
		"etc/own.sandbox.d/override.conf": "[limits]\nmemory=3G\n", "usr/lower.sandbox": plain + "[limits]\nmemory=3G\n",
		"etc/web@.sandbox.d/override.conf": "[limits]\nmemory=3G\npids=77\n", "etc/web@.sandbox": plain,
		"etc/own.sandbox": plain + "[limits]\npids=5\n", "etc/linked.sandbox": "-> ../elsewhere", "elsewhere": plain,
		"etc/web@a.sandbox": "-> web@.sandbox", "etc/web@b.sandbox": "-> web@.sandbox",
	}
	h := newHost(t, files)
	for _, name := range []string{"own", "lower", "linked", "web@b"} {
		before := h.file(name + ".sandbox")
		if wrong := h.set(name, "memory=1G"); wrong != "" {
			t.Fatal(wrong)
		}
		dropIn := name + ".sandbox.d/set-property.conf"
		if got := h.file(dropIn); !strings.HasPrefix(got, "# Written by") ||
			!strings.HasSuffix(got, "\n[limits]\nmemory=1G\n") {
			t.Errorf("%s: %q", name, got)
		}
		if h.file(name+".sandbox") != before {
			t.Errorf("%s: the config has changed", name)
		}
		if wrong := h.set(name, "memory="); wrong != "" {
			t.Fatal(wrong)
		}
		if s, err := h.Configs.Load(name); err != nil || s.Limits.Memory != 0 {
			t.Errorf("%s after a reset: %+v, %v", name, s, err)
		}
		if gone, want := h.file(dropIn) == "none", name == "linked"; gone != want {
			t.Errorf("%s after a reset: %q", name, h.file(dropIn))
		}
	}
	// What others of the template have stays, and what the instance has of it.
	if a, err := h.Configs.Load("web@a"); err != nil || a.Limits.Memory != 3<<30 {
		t.Errorf("%+v, %v", a, err)
	}
	if b, err := h.Configs.Load("web@b"); err != nil || b.Limits.PIDs != 77 {
		t.Errorf("%+v, %v", b, err)
	}
	// Of two keys each goes where it counts.
	if wrong := h.set("own", "memory=2G", "pids=6"); wrong != "" || !strings.Contains(h.file("own.sandbox"), "pids=6\n") {
		t.Errorf("%s, %q", wrong, h.file("own.sandbox"))
	}
}

// TestSetDecidedElsewhere: where a drop-in counts more in any case, nothing changes and the file is named.
func TestSetDecidedElsewhere(t *testing.T) {
	const decided = "[limits]\nmemory=3G\n"
	h := newHost(t, map[string]string{"etc/own.sandbox": plain, "etc/sandbox.d/zz.conf": decided})
	for _, setting := range []string{"memory=1G", "memory="} {
		got := h.set("own", "pids=9", setting)
		if !strings.Contains(got, "sandbox.d/zz.conf:2 says memory= and counts more") {
			t.Errorf("%s: %s", setting, got)
		}
	}
	if h.file("own.sandbox") != plain || h.file("own.sandbox.d/set-property.conf") != "none" {
		t.Error("something was written")
	}
	if got := h.set("none", "pids=9"); !strings.Contains(got, "no such sandbox") {
		t.Error(got)
	}
}
