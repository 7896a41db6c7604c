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
	"github.com/virt-sandbox/virt-sandbox/internal/claims"
)

func TestLeftovers(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(*testing.T, *host) *config.Sandbox
		want []string // details
	}{
		{"nothing", func(*testing.T, *host) *config.Sandbox { return nil }, nil},
		{"half of a create", func(t *testing.T, h *host) *config.Sandbox {
			s := config.New("web")
			s.Content = h.places("web").Content()
			if err := h.Host.MarkCreating(s); err != nil {
				t.Fatal(err)
			}
			return nil
		}, []string{"content whose making was interrupted; delete web to end that"}},
		{"content without a config", func(t *testing.T, h *host) *config.Sandbox {
			o := h.options("web")
			o.Base = filepath.Dir(h.places("web").Content())
			if _, err := h.Create(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if err := h.Configs.Remove("web"); err != nil {
				t.Fatal(err)
			}
			return nil
		}, []string{"content whose config is gone; restore "}},
		{"a state without a config", func(t *testing.T, h *host) *config.Sandbox {
			s := h.create(t, "web")
			if err := errors.Join(os.Remove(h.Configs.Path("web")), h.Host.Remove(s.Content)); err != nil {
				t.Fatal(err)
			}
			if names, err := h.CheckNames(); err != nil || !slices.Equal(names, []string{"web"}) {
				t.Errorf("names are %q, %v", names, err)
			}
			return nil
		}, []string{"what was allocated to a sandbox whose config is gone; restore "}},
		{"half of a delete", func(t *testing.T, h *host) *config.Sandbox {
			s := h.create(t, "web")
			s.State = config.StateDeleting
			return s
		}, []string{"it is being deleted; run delete again to finish that"}},
		{"an image that is attached", func(t *testing.T, h *host) *config.Sandbox {
			s := h.create(t, "web")
			claim := claims.Claim{File: "/images/web.raw", Format: config.FormatRaw, Use: "the image"}
			if err := h.Claims.Note(t.Context(), "web", claim); err != nil {
				t.Fatal(err)
			}
			return s
		}, []string{"the image is attached though nothing runs; start or delete web to end that"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			findings, err := h.Leftovers("web", c.make(t, h))
			if err != nil || len(findings) != len(c.want) {
				t.Fatalf("got %v, %v", findings, err)
			}
			for i, f := range findings {
				if !strings.HasPrefix(f.Detail, c.want[i]) {
					t.Errorf("got %q, want %q", f.Detail, c.want[i])
				}
			}
		})
	}
}

// Those of which there are but leftovers are among the names, others' directories are not.
func TestCheckNames(t *testing.T) {
	h := newHost(t)
	h.create(t, "web")
	half := config.New("half")
	half.Content = h.places("half").Content()
	others := filepath.Join(filepath.Dir(half.Content), "others")
	if err := errors.Join(h.Host.MarkCreating(half), os.MkdirAll(others+"/file", 0o755)); err != nil {
		t.Fatal(err)
	}
	names, err := h.CheckNames()
	if err != nil || !slices.Equal(names, []string{"half", "web"}) {
		t.Errorf("got %q, %v", names, err)
	}
}
