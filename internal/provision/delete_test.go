// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// One whose config cannot be read says how it is deleted all the same; nothing of it is gone by then.
func TestDeleteUnusable(t *testing.T) {
	h := newHost(t)
	file := h.Configs.Path("web")
	if err := os.WriteFile(file, []byte("nothing\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := h.Delete(t.Context(), "web", "", false)
	if err == nil || !strings.Contains(err.Error(), "or remove "+file+" and run delete again") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

func TestDelete(t *testing.T) {
	h := newHost(t)
	h.create(t, "web")
	h.up = errors.New("web is up")
	_, err := h.Delete(t.Context(), "web", "", false)
	says(t, err, "web is up")
	if _, err := h.Configs.Load("web"); err != nil {
		t.Errorf("of one that is up: %v", err)
	}
	h.up = nil
	if _, err := h.Delete(t.Context(), "web", "", false); err != nil {
		t.Fatal(err)
	}
	h.isGone(t, "web")
	if !slices.Equal(h.swept, []string{"web"}) {
		t.Errorf("swept %q", h.swept)
	}
	_, err = h.Delete(t.Context(), "web", h.content, false)
	if !errors.Is(err, config.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
}

// A delete that was killed half way is finished by the next.
func TestDeleteAfterKill(t *testing.T) {
	h := newHost(t)
	s := h.create(t, "web")
	s.State = config.StateDeleting
	if err := errors.Join(h.Configs.Save(s), h.Host.Remove(s.Content)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Delete(t.Context(), "web", "", false); err != nil {
		t.Fatal(err)
	}
	h.isGone(t, "web")
}

// Content that is another's stays, and what virt-sandbox did not make is not touched.
func TestDeleteOfOthersContent(t *testing.T) {
	h := newHost(t)
	owner := h.create(t, "web")
	other := config.New("other")
	other.Units, other.Content, other.UUID = owner.Units, owner.Content, "01234567-89ab-4def-8123-456789abcdef"
	if err := h.Configs.Save(other); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Delete(t.Context(), "other", "", false); err != nil {
		t.Fatal(err)
	}
	h.warned(t, owner.Content+" stays: it is the content of web")
	if _, err := os.Lstat(owner.Content); err != nil {
		t.Error(err)
	}
	foreign := config.New("foreign")
	foreign.Units, foreign.Content = owner.Units, t.TempDir()
	err := errors.Join(os.WriteFile(foreign.Content+"/file", nil, 0o600), h.Configs.Save(foreign))
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Delete(t.Context(), "foreign", "", false)
	says(t, err, foreign.Content+" is not content of virt-sandbox; correct content= in ")
}

func TestDeleteLeftovers(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(*testing.T, *host)
		want error
	}{
		{"nothing", func(*testing.T, *host) {}, config.ErrNotFound},
		{"an empty directory", func(t *testing.T, h *host) {
			if err := os.MkdirAll(filepath.Join(h.content, "web"), 0o755); err != nil {
				t.Fatal(err)
			}
		}, nil},
		{"half of a create", func(t *testing.T, h *host) {
			s := config.New("web")
			s.Content = filepath.Join(h.content, "web")
			if err := h.Host.MarkCreating(s); err != nil {
				t.Fatal(err)
			}
		}, nil},
		{"content without a config", func(t *testing.T, h *host) {
			h.create(t, "web")
			if err := h.Configs.Remove("web"); err != nil {
				t.Fatal(err)
			}
		}, nil},
		{"a domain", func(_ *testing.T, h *host) { h.domains = []string{"web"} }, ErrRunning},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			c.make(t, h)
			if _, err := h.Delete(t.Context(), "web", h.content, false); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			h.isGone(t, "web")
		})
	}
}
