// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"os"
	"path/filepath"
	"testing"

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
