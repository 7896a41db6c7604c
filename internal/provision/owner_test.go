// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

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
