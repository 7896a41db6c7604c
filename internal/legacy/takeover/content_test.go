// SPDX-License-Identifier: Apache-2.0

package takeover

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
)

// Files of a content of ours.
const (
	manifestName = filestate.OwnDir + "/manifest"
	identityName = filestate.OwnDir + "/identity"
)

// box returns a sandbox whose content is in a temporary directory, and not made.
func box(t *testing.T) *config.Sandbox {
	t.Helper()
	s := config.New("box")
	s.Command, s.Content = []string{"true"}, t.TempDir()+"/box"
	return s
}

// reads returns the text of a file of the content; "none" for none.
func reads(t *testing.T, s *config.Sandbox, p string) string {
	t.Helper()
	text, err := os.ReadFile(s.Content + p)
	switch {
	case os.IsNotExist(err):
		return "none"
	case err != nil:
		t.Fatal(err)
	}
	return string(text)
}

// TestAdoptGeneric moves what the command of a legacy sandbox saw as a whole to where it sees it again, whatever of it
// was done.
func TestAdoptGeneric(t *testing.T) {
	for _, state := range []string{"new", "made", "moved", "told", "done"} {
		t.Run(state, func(t *testing.T) {
			h := content.Host{Root: t.TempDir()}
			s := box(t)
			// Root inside has made it look like ours.
			for _, p := range []string{"/input", "/" + manifestName, "/" + identityName, "/var/lib/trees/x"} {
				if err := os.MkdirAll(filepath.Dir(s.Content+p), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(s.Content+p, []byte("hostile"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			made, done := moving(s)
			place := made + "/var/lib/trees"
			steps := map[string]func() error{
				"made":  func() error { return os.MkdirAll(filepath.Dir(place), 0o755) },
				"moved": func() error { return os.Rename(s.Content, place) },
				"told":  func() error { return os.WriteFile(done, nil, 0o600) },
				"done":  func() error { return os.Rename(made, s.Content) },
			}
			for _, step := range []string{"made", "moved", "told", "done"} {
				if state == "new" {
					break
				}
				if err := steps[step](); err != nil {
					t.Fatal(err)
				}
				if step == state {
					break
				}
			}
			for range 2 {
				if err := AdoptContent(h, s, "/var/lib/trees"); err != nil {
					t.Fatal(err)
				}
			}
			if err := FinishContent(s); err != nil {
				t.Fatal(err)
			}
			for p, want := range map[string]string{
				"/var/lib/trees/input": "hostile", "/var/lib/trees/var/lib/trees/x": "hostile",
				"/" + manifestName: "", "/" + identityName: "none",
			} {
				if got := reads(t, s, p); got != want {
					t.Errorf("%s is %q, want %q", p, got, want)
				}
			}
			left, err := filepath.Glob(filepath.Dir(s.Content) + "/.*")
			if err != nil || len(left) != 0 {
				t.Errorf("left behind: %q, %v", left, err)
			}
		})
	}
}

// TestAdoptGenericImage does the same where the content is the top of an image, which does not move.
func TestAdoptGenericImage(t *testing.T) {
	const tree = "/var/lib/trees"
	for _, state := range []string{"new", "half down", "told", "half up", "done"} {
		t.Run(state, func(t *testing.T) {
			h := content.Host{Root: t.TempDir()}
			s := box(t)
			s.Image = "/image.raw"
			_, done := moving(s)
			moved := inImageDir + tree + "/"
			was := []string{"input", "var/x", manifestName, "lost+found/y"}
			switch state {
			case "half down":
				was = []string{"input", moved + "var/x", moved + manifestName, "lost+found/y"}
			case "told", "half up":
				was = []string{moved + "input", moved + "var/x", moved + manifestName, "lost+found/y"}
			case "done":
				was = []string{
					"var/lib/trees/input", "var/lib/trees/var/x", "var/lib/trees/" + manifestName, "lost+found/y",
				}
			}
			for _, p := range was {
				if err := os.MkdirAll(filepath.Dir(s.Content+"/"+p), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(s.Content+"/"+p, []byte("hostile"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if state != "new" && state != "half down" {
				if err := os.WriteFile(done, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if state == "half up" {
				if err := os.Rename(s.Content+"/"+inImageDir+"/var", s.Content+"/var"); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				if err := AdoptContent(h, s, tree); err != nil {
					t.Fatal(err)
				}
			}
			if err := FinishContent(s); err != nil {
				t.Fatal(err)
			}
			for p, want := range map[string]string{
				tree + "/input": "hostile", tree + "/var/x": "hostile",
				tree + "/" + manifestName: "hostile", "/lost+found/y": "hostile",
				"/" + manifestName: "", "/input": "none", "/" + inImageDir: "none",
			} {
				if got := reads(t, s, p); got != want {
					t.Errorf("%s is %q, want %q", p, got, want)
				}
			}
		})
	}
}

// A link in place of the directory that all moves to leads nowhere out of the content.
func TestAdoptGenericImageHostile(t *testing.T) {
	h := content.Host{Root: t.TempDir()}
	s := box(t)
	s.Image = "/image.raw"
	outside := t.TempDir()
	if err := os.MkdirAll(s.Content, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, s.Content+"/"+inImageDir); err != nil {
		t.Fatal(err)
	}
	if err := AdoptContent(h, s, "/var/lib/trees"); err == nil {
		t.Error("a link is taken for a directory")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 0 {
		t.Errorf("outside there are %v, %v", entries, err)
	}
}

// TestAdoptSystemd leaves all as it is, but for the boot target, which is kept.
func TestAdoptSystemd(t *testing.T) {
	h := content.Host{Root: t.TempDir()}
	s := box(t)
	target := "/etc/systemd/system/multi-user.target"
	if err := os.MkdirAll(filepath.Dir(s.Content+target), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Content+target, []byte("[Unit]\nDescription=x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := AdoptContent(h, s, ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := reads(t, s, target+".orig"); !strings.Contains(got, "Description=x") || reads(t, s, target) != "none" {
		t.Errorf("the target was not put aside: %q", got)
	}
	if state, err := content.Inspect(s.Content); state != content.Ours || err != nil {
		t.Errorf("it is %v, %v", state, err)
	}
	s.Content += "-gone"
	if err := AdoptContent(h, s, ""); err == nil {
		t.Error("content that is not there is taken over")
	}
}
