// SPDX-License-Identifier: Apache-2.0

package sandboximage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
)

func TestRemove(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.raw")
	for _, c := range []struct {
		files []string
		left  bool // of the file at the image's name
	}{
		{nil, false},
		{[]string{file}, false},
		{[]string{image.Temporary(file)}, false},
		{[]string{image.Temporary(file), file}, true},
	} {
		for _, f := range c.files {
			if err := os.WriteFile(f, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := Remove(file); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(file); (err == nil) != c.left {
			t.Errorf("of %q: %v", c.files, err)
		}
		if _, err := os.Lstat(image.Temporary(file)); err == nil {
			t.Errorf("of %q the temporary one is left", c.files)
		}
	}
}

func TestClaimNew(t *testing.T) {
	h := newHost(t)
	s := h.sandbox()
	s.ImageFS = config.DefaultImageFS
	if err := image.CheckMake(s.ImageFormat, s.ImageFS); err != nil {
		t.Skip(err)
	}
	touch(t, image.Temporary(s.Image))
	if err := h.ClaimNew(s); err != nil {
		t.Fatal(err)
	}
	if len(h.warnings) != 1 || !strings.Contains(h.warnings[0], "removing what an interrupted create left at ") {
		t.Errorf("warnings %q", h.warnings)
	}
	touch(t, s.Image)
	if err := h.ClaimNew(s); err == nil || !strings.Contains(err.Error(), "exists already; move it away") {
		t.Errorf("over an image: %v", err)
	}
	s.Image = ""
	if err := h.ClaimNew(s); err != nil {
		t.Errorf("without an image: %v", err)
	}
}

// FinishNew takes the note away and gives the image its name; without an image it does nothing.
func TestFinishNew(t *testing.T) {
	h := newHost(t)
	s := h.sandbox()
	touch(t, image.Temporary(s.Image))
	if err := h.attachOwn(t.Context(), s, image.Temporary(s.Image)); err != nil {
		t.Fatal(err)
	}
	if err := h.FinishNew(s); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(s.Image); err != nil || h.noted(t) != nil {
		t.Errorf("the image: %v; noted: %q", err, h.noted(t))
	}
	if err := h.FinishNew(config.New("web")); err != nil {
		t.Error(err)
	}
}
