// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
)

// A config that somebody wrote gets what create would have given it.
func TestReconcileWritten(t *testing.T) {
	h := newHost(t)
	s := config.New("web")
	s.Units, s.Content = []string{"web.service"}, filepath.Join(h.content, "web")
	s.Private = []config.PrivatePath{{Path: "/srv/data", Origin: "admin"}}
	wrote := s.Text()
	if err := h.Configs.Write("web", wrote); err != nil {
		t.Fatal(err)
	}
	state, err := h.Reconcile(t.Context(), s)
	if err != nil || state != content.Absent {
		t.Fatalf("got %v, %v", state, err)
	}
	saved, err := h.Configs.Load("web")
	if err != nil {
		t.Fatal(err)
	}
	if saved.UUID == "" || saved.MachineID == "" || saved.Security.Level == "" || !saved.Created.IsZero() {
		t.Errorf("saved %+v", saved)
	}
	found := make(map[string]bool)
	for _, p := range saved.Private {
		found[p.Path] = true
	}
	if !found["/srv/data"] || len(found) < 2 {
		t.Errorf("private are %v", saved.Private)
	}
	if text, err := h.Configs.Read("web"); err != nil || text != wrote {
		t.Errorf("the config has become %v\n%s", err, text)
	}
}

// A copy of a config, with another name in it, gets an identity, a level and content of its own.
func TestReconcileCopied(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(copied *config.Sandbox)
		want   string // error
	}{
		{"content of its own", func(s *config.Sandbox) { s.Content += "-copy" }, ""},
		{"the content of the other", func(*config.Sandbox) {}, ""},
		{"the content of the other, and another uuid", func(s *config.Sandbox) {
			s.UUID = "01234567-89ab-4def-8123-456789abcdef"
		}, "is that of web; name another directory, or leave the line out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			original := h.create(t, "web")
			copied, err := h.Configs.Load("web")
			if err != nil {
				t.Fatal(err)
			}
			copied.Name = "copy"
			c.change(copied)
			_, err = h.Reconcile(t.Context(), copied)
			if c.want != "" {
				says(t, err, c.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			h.warned(t, "copy is a copy of the config of web; it gets a uuid and machine-id of its own")
			h.warned(t, "copy gets an MCS level of its own")
			if copied.UUID == original.UUID || copied.MachineID == original.MachineID || copied.Content == original.Content ||
				copied.Security.Level == original.Security.Level || !copied.Created.IsZero() {
				t.Errorf("the copy is %+v", copied)
			}
		})
	}
}

// A copied config that says that it is another sandbox, and that cannot be written, is refused.
func TestReconcileCopiedLink(t *testing.T) {
	h := newHost(t)
	h.create(t, "web")
	copied, err := h.Configs.Load("web")
	if err != nil {
		t.Fatal(err)
	}
	copied.Name, copied.Content = "copy", copied.Content+"-copy"
	elsewhere := filepath.Join(t.TempDir(), "copy.sandbox")
	if err := errors.Join(os.WriteFile(elsewhere, []byte(copied.Text()), 0o444),
		os.Symlink(elsewhere, h.Configs.Path("copy"))); err != nil {
		t.Fatal(err)
	}
	_, err = h.Reconcile(t.Context(), copied)
	says(t, err, "copy.sandbox is a copy of another sandbox's config, and says that it is that one; run upgrade copy, or "+
		"leave out uuid=, machine-id=, created= and content=")
	if text, err := os.ReadFile(elsewhere); err != nil || !strings.Contains(string(text), "name=copy\n") {
		t.Errorf("the config is %v\n%s", err, text)
	}
}

// Before there is content, the configs alone show whose it will be.
func TestDetectCopiedConfig(t *testing.T) {
	h := newHost(t)
	other := config.New("other")
	other.Units, other.Content, other.Image = []string{"web.service"}, "/content/other", "/images/other.raw"
	if err := h.Configs.Save(other); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, content, image, want string }{
		{"unlike", "/content/web", "/images/web.raw", ""},
		{"its content", "/content/other", "", "content /content/other is that of other; name another directory"},
		{"its image", "/content/web", "/images/other.raw", "image /images/other.raw is that of other; name another file"},
	} {
		s := config.New("web")
		s.Content, s.Image = c.content, c.image
		err := h.detectCopiedConfig(s)
		if c.want == "" && err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if c.want != "" {
			says(t, err, c.want)
		}
	}
}

// What the content knows and the config does not say comes from there.
func TestTakeIdentity(t *testing.T) {
	h := newHost(t)
	made := h.create(t, "web")
	s := config.New("web")
	s.Content = made.Content
	state, err := h.takeIdentity(s)
	if err != nil || state != content.Ours {
		t.Fatalf("got %v, %v", state, err)
	}
	if s.UUID != made.UUID || s.MachineID != made.MachineID || s.Security.Level != made.Security.Level {
		t.Errorf("got %+v, want the identity of %+v", s, made)
	}
}
