// SPDX-License-Identifier: Apache-2.0

package sandboximage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/claims"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/statefile"
)

// noSystemd is that of a host which was booted with another init.
type noSystemd struct{ claims.Systemd }

func (noSystemd) Booted() bool { return false }

// host is a temporary host on which nothing is really mounted.
type host struct {
	*Images
	dir      string
	warnings []string
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{dir: t.TempDir()}
	root := t.TempDir()
	if err := os.MkdirAll(root+"/run", 0o755); err != nil {
		t.Fatal(err)
	}
	warn := func(format string, args ...any) { h.warnings = append(h.warnings, fmt.Sprintf(format, args...)) }
	h.Images = &Images{
		Root: places.Root(root), Configs: config.Store{Dir: t.TempDir(), States: statefile.Dir(t.TempDir())}, Warn: warn,
		Systemd: noSystemd{}, IsLabelled: func() bool { return false }, LockName: lockfile.New(root, warn).Name,
		Claims: claims.New(claims.Options{
			Root: root, Warn: warn,
			Lock:           func(context.Context) (func(), error) { return func() {}, nil },
			InHostMounts:   func(func() error) error { return nil },
			UnlinkJournals: func(string) error { return nil },
		}),
	}
	return h
}

// sandbox has its content in an image of the temporary host.
func (h *host) sandbox() *config.Sandbox {
	s := config.New("web")
	s.Image, s.ImageFormat = filepath.Join(h.dir, "web.raw"), config.FormatRaw
	s.Content = filepath.Join(h.dir, "web")
	s.Created = time.Now()
	return s
}

func (h *host) noted(t *testing.T) (files []string) {
	t.Helper()
	all, err := h.Claims.Read("web")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		files = append(files, filepath.Base(c.File))
	}
	return files
}

func touch(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The content of one that is down is open until it is released, and that of one that is up is left alone.
func TestOpenIfDown(t *testing.T) {
	h := newHost(t)
	s := h.sandbox()
	touch(t, s.Image)
	for _, open := range []func(context.Context, *config.Sandbox) (func(), error){h.OpenIfDown, h.Hold} {
		release, err := open(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.noted(t); !slices.Equal(got, []string{"web.raw"}) {
			t.Errorf("noted %q", got)
		}
		release()
		if got := h.noted(t); got != nil {
			t.Errorf("after release %q are noted", got)
		}
	}
	run := h.Root.Of("web").Run()
	if err := run.Make("init"); err != nil {
		t.Fatal(err)
	}
	if err := run.SetPhase(places.PhaseReady); err != nil {
		t.Fatal(err)
	}
	for _, open := range []func(context.Context, *config.Sandbox) (func(), error){h.OpenIfDown, h.Hold} {
		release, err := open(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.noted(t); got != nil {
			t.Errorf("of one that is up %q are noted", got)
		}
		release()
	}
}

// An image that create was killed over in its last moment gets its name; without an image there is nothing to do.
func TestOpen(t *testing.T) {
	h := newHost(t)
	s := h.sandbox()
	touch(t, image.Temporary(s.Image))
	if err := h.Open(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(s.Image); err != nil {
		t.Error(err)
	}
	h.Close("web")
	if err := os.Remove(s.Image); err != nil {
		t.Fatal(err)
	}
	without := config.New("web")
	for _, s := range []*config.Sandbox{s, without} {
		if err := h.Open(t.Context(), s); err != nil {
			t.Error(err)
		}
	}
	if got := h.noted(t); got != nil || len(h.warnings) > 0 {
		t.Errorf("noted %q, warnings %q", got, h.warnings)
	}
}

func TestAttachForStart(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*config.Sandbox)
		want   string // error
	}{
		{"gone", func(*config.Sandbox) {}, "is gone; is its file system mounted? To have it made anew"},
		{"never made", func(s *config.Sandbox) { s.Created = time.Time{} },
			"does not exist; give image-size= to have it made"},
		{"without an image", func(s *config.Sandbox) { s.Image = "" }, ""},
		{"a kind that no program makes", func(s *config.Sandbox) {
			s.Created, s.ImageSize, s.ImageFS = time.Time{}, 1<<20, config.FileSystemType("xfs")
			t.Setenv("PATH", "/nonexistent")
		}, "which is not installed; install"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			s := h.sandbox()
			c.change(s)
			err := h.AttachForStart(t.Context(), s)
			if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
