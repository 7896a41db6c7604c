// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"os"
	"path/filepath"
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
