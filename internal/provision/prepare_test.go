// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
)

func TestPrepare(t *testing.T) {
	h := newHost(t)
	s := config.New("web")
	s.Units, s.Content = []string{"web.service"}, filepath.Join(h.content, "web")
	if err := h.Configs.Save(s); err != nil {
		t.Fatal(err)
	}
	if err := h.Prepare(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	saved, err := h.Configs.Load("web")
	if err != nil || saved.Created.IsZero() {
		t.Fatalf("saved %+v, %v", saved, err)
	}
	if state, err := content.Inspect(s.Content); err != nil || state != content.Ours {
		t.Errorf("the content is %v, %v", state, err)
	}
	// What is complete stays as it is.
	if err := h.Prepare(t.Context(), saved); err != nil {
		t.Error(err)
	}
}

// A config that is a link into a directory of somebody else's starts, and stays as it is; what was lost of the state
// comes back from the content.
func TestPrepareOfLinkedConfig(t *testing.T) {
	h := newHost(t)
	text := "[sandbox]\nformat=2\nname=web\nunit=web.service\ncontent=" + filepath.Join(h.content, "web") + "\n"
	elsewhere := filepath.Join(t.TempDir(), "web.sandbox")
	if err := errors.Join(os.WriteFile(elsewhere, []byte(text), 0o444),
		os.Symlink(elsewhere, h.Configs.Path("web"))); err != nil {
		t.Fatal(err)
	}
	prepared := func() *config.Sandbox {
		t.Helper()
		s, err := h.Configs.Load("web")
		if err == nil {
			err = h.Prepare(t.Context(), s)
		}
		if err != nil {
			t.Fatal(err)
		}
		now, err := h.Configs.Load("web")
		if err != nil || now.UUID == "" || now.Created.IsZero() || now.Security.Level == "" || len(now.Private) == 0 {
			t.Fatalf("it is %+v, %v", now, err)
		}
		return now
	}
	first := prepared()
	if err := h.Configs.States.Remove("web"); err != nil {
		t.Fatal(err)
	}
	again := prepared()
	if again.UUID != first.UUID || again.MachineID != first.MachineID || again.Security.Level != first.Security.Level ||
		!slices.Equal(again.Private, first.Private) {
		t.Errorf("without its state it became\n%+v\nand was\n%+v", again, first)
	}
	link, err := os.Readlink(h.Configs.Path("web"))
	if now, _ := os.ReadFile(elsewhere); string(now) != text || link != elsewhere || err != nil {
		t.Errorf("the config is %s, %v\n%s", link, err, now)
	}
}

func TestPrepareFails(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*config.Sandbox)
		want   string
	}{
		{"deleting", func(s *config.Sandbox) { s.State = config.StateDeleting }, "is being deleted; run delete again"},
		{"content is gone", func(s *config.Sandbox) { s.Created = time.Now() }, "is gone; is its file system mounted?"},
		{"somebody else's content", func(s *config.Sandbox) { s.Content = filepath.Dir(s.Content) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			s := config.New("web")
			s.Units, s.Content = []string{"web.service"}, filepath.Join(t.TempDir(), "full", "web")
			if err := os.MkdirAll(filepath.Join(filepath.Dir(s.Content), "file"), 0o755); err != nil {
				t.Fatal(err)
			}
			c.change(s)
			says(t, h.Prepare(t.Context(), s), c.want)
		})
	}
}
