package provision

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
)

func TestClone(t *testing.T) {
	needRoot(t)
	h := newHost(t)
	source := h.create(t, "web")
	file := filepath.Join("etc", "web", "web.conf")
	if err := os.WriteFile(filepath.Join(source.Content, file), []byte("port=81\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := h.Clone(t.Context(), describe.CloneOptions{Source: "web", Name: "copy"})
	if err != nil {
		t.Fatal(err)
	}
	if s.UUID == source.UUID || s.MachineID == source.MachineID || s.Security.Level == source.Security.Level {
		t.Errorf("the clone is %+v", s)
	}
	if text, err := os.ReadFile(filepath.Join(s.Content, file)); err != nil || string(text) != "port=81\n" {
		t.Errorf("its file has %q, %v", text, err)
	}
	if h.held != 0 {
		t.Errorf("%d containers are still held", h.held)
	}
}

func TestCloneFails(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*testing.T, *host)
		o      describe.CloneOptions
		want   string
	}{
		{"of itself", func(*testing.T, *host) {}, describe.CloneOptions{Source: "web", Name: "web"},
			"cannot be its own clone"},
		{"of nobody", func(*testing.T, *host) {}, describe.CloneOptions{Source: "none", Name: "copy"}, "none"},
		{"of one that is up", func(_ *testing.T, h *host) { h.up = ErrRunning },
			describe.CloneOptions{Source: "web", Name: "copy"}, "is running"},
		{"without its unit", func(t *testing.T, h *host) {
			if err := os.Remove(h.Host.Root + "/usr/lib/systemd/system/web.service"); err != nil {
				t.Fatal(err)
			}
		}, describe.CloneOptions{Source: "web", Name: "copy"}, "copy needs web.service"},
		{"without content", func(t *testing.T, h *host) {
			if err := h.Host.Remove(filepath.Join(h.content, "web")); err != nil {
				t.Fatal(err)
			}
		}, describe.CloneOptions{Source: "web", Name: "copy"}, "is gone; is its file system mounted?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			h.create(t, "web")
			c.change(t, h)
			_, err := h.Clone(t.Context(), c.o)
			says(t, err, c.want)
			h.isGone(t, "copy")
			if _, err := h.Configs.Load("web"); err != nil || h.held != 0 {
				t.Errorf("of the source: %v; %d are held", err, h.held)
			}
		})
	}
}

// Content says whose it is; what says nothing is that of the config which has it.
func TestOwnerOf(t *testing.T) {
	h := newHost(t)
	made := h.create(t, "web")
	silent := config.New("silent")
	silent.Units, silent.Content = made.Units, filepath.Join(t.TempDir(), "silent")
	if err := errors.Join(h.Host.MarkCreating(silent), h.Configs.Save(silent)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		s    *config.Sandbox
		want string
	}{
		{"its own", made, "web"},
		{"another's", &config.Sandbox{Name: "copy", Content: made.Content, UUID: made.UUID}, "web"},
		{"of whom nothing is known", &config.Sandbox{Name: "copy", Content: made.Content}, "web"},
		{"that says nothing", &config.Sandbox{Name: "copy", Content: silent.Content}, "silent"},
		{"nobody's", &config.Sandbox{Name: "copy", Content: "/nonexistent"}, "copy"},
	} {
		if owner, _, err := h.ownerOf(c.s); err != nil || owner != c.want {
			t.Errorf("content that is %s is that of %q, %v; want %s", c.name, owner, err, c.want)
		}
	}
	// One that was renamed has none of its old name.
	if err := h.Configs.Remove("web"); err != nil {
		t.Fatal(err)
	}
	renamed := &config.Sandbox{Name: "renamed", Content: made.Content, UUID: made.UUID}
	if owner, _, err := h.ownerOf(renamed); err != nil || owner != "renamed" {
		t.Errorf("of one that was renamed: %q, %v", owner, err)
	}
}

func TestHasContent(t *testing.T) {
	h := newHost(t)
	made := h.create(t, "web")
	written := config.New("written")
	written.Content = filepath.Join(h.content, "written")
	deleting := *made
	deleting.State = config.StateDeleting
	stranger := &config.Sandbox{Name: "stranger", Content: made.Content, UUID: "01234567-89ab-4def-8123-456789abcdef"}
	for _, c := range []struct {
		s     *config.Sandbox
		found bool
		want  string
	}{
		{made, true, ""},
		{written, false, ""},
		{&deleting, false, "is being deleted; run delete again"},
		{stranger, false, "is that of web"},
	} {
		found, err := h.HasContent(c.s)
		if found != c.found || (err == nil) != (c.want == "") {
			t.Errorf("%s: %v, %v", c.s.Name, found, err)
		}
		if c.want != "" {
			says(t, err, c.want)
		}
	}
	says(t, h.requireContent(written), "has no content at")
}
