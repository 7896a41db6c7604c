// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

func TestCreate(t *testing.T) {
	h := newHost(t)
	s := h.create(t, "web")
	saved, err := h.Configs.Load("web")
	if err != nil {
		t.Fatal(err)
	}
	if saved.UUID == "" || saved.MachineID == "" || saved.Created.IsZero() || saved.Content != s.Content {
		t.Errorf("saved %+v", saved)
	}
	if state, err := content.Inspect(s.Content); err != nil || state != content.Ours {
		t.Errorf("the content is %v, %v", state, err)
	}
	if _, err := os.Lstat(h.Stubs.Path(s)); err != nil || h.reloads != 1 {
		t.Errorf("the stub: %v; reloads: %d", err, h.reloads)
	}
	// A second one is refused, and changes nothing of the first.
	_, err = h.Create(t.Context(), h.options("web"))
	says(t, err, "web exists already")
	if _, err := h.Configs.Load("web"); err != nil {
		t.Error(err)
	}
}

// A unit of another package that comes along by a drop-in is told of, and what gives it its paths.
func TestCreateTellsOfCompanions(t *testing.T) {
	h := newHost(t)
	hosttest.Put(t, h.Host.Root, "/usr/lib/systemd/system/web.service.d/script.conf", "[Unit]\nWants=script.service\n")
	hosttest.Put(t, h.Host.Root, "/usr/lib/systemd/system/script.service", "[Service]\nExecStart=/usr/sbin/web\n")
	h.Host.Packages[0] = append(h.Host.Packages[0].(hosttest.Packages),
		hosttest.Package("script", "", "/usr/lib/systemd/system/script.service", "/etc/script.conf"))
	h.create(t, "web")
	want := "web: web.service starts script.service too, without paths of its own such as /etc/script.conf; " +
		"Units script.service gives it them"
	if !slices.Contains(h.warnings, want) {
		t.Errorf("warnings %q, want %q", h.warnings, want)
	}
}

// A dry run tells what create makes, but for what is allocated, and makes nothing.
func TestDryRun(t *testing.T) {
	h := newHost(t)
	dry := h.options("web")
	dry.DryRun = true
	planned, err := h.Create(t.Context(), dry)
	if err != nil {
		t.Fatal(err)
	}
	if names, err := h.Configs.Names(); err != nil || len(names) > 0 {
		t.Errorf("sandboxes: %q, %v", names, err)
	}
	if _, err := os.Lstat(planned.Content); err == nil {
		t.Error("there is content")
	}
	if _, err := os.Lstat(h.Stubs.Path(planned)); err == nil || h.reloads != 0 {
		t.Errorf("there is a unit file, %v, or systemd was told: %d", err, h.reloads)
	}
	if planned.UUID != "" || planned.MachineID != "" || planned.Security.Level != "" || !planned.Created.IsZero() {
		t.Errorf("it is identified: %+v", planned)
	}
	dropIn := h.Configs.Dir + "/web.sandbox.d/a.conf"
	if err := errors.Join(os.MkdirAll(filepath.Dir(dropIn), 0o755),
		os.WriteFile(dropIn, []byte("[unit]\nAftr=x.service\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	_, err = h.Create(t.Context(), dry)
	says(t, err, "a.conf:2: Aftr= in [unit] is no directive that this program knows; did you mean After=?")
	if err := os.Remove(dropIn); err != nil {
		t.Fatal(err)
	}
	made := h.create(t, "web")
	if !slices.Equal(made.Private, planned.Private) || len(made.Private) == 0 || made.Content != planned.Content {
		t.Errorf("planned %+v, made %+v", planned, made)
	}
	_, err = h.Create(t.Context(), dry)
	says(t, err, "web exists already")
	made.State = config.StateDeleting
	if err := h.Configs.Keep(made); err != nil {
		t.Fatal(err)
	}
	_, err = h.Create(t.Context(), dry)
	says(t, err, "web is being deleted; run delete again to finish that")
}

// What cannot be made leaves nothing, at whatever point it is refused.
func TestCreateFails(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*testing.T, *host)
		want   string
	}{
		{"libvirt does not answer", func(_ *testing.T, h *host) { h.noAnswer = errors.New("no answer") }, "no answer"},
		{"libvirt has the name", func(_ *testing.T, h *host) { h.domains = []string{"web"} },
			"libvirt has a domain of the name web already"},
		{"no such unit", func(t *testing.T, h *host) {
			if err := os.Remove(h.Host.Root + "/usr/lib/systemd/system/web.service"); err != nil {
				t.Fatal(err)
			}
		}, "web.service"},
		{"a unit of the administrator's", func(t *testing.T, h *host) {
			stub := h.Stubs.Path(&config.Sandbox{Name: "web", Units: []string{"web.service"}})
			if err := os.WriteFile(stub, []byte("[Service]\nExecStart=/bin/true\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if _, err := os.Lstat(stub); err != nil {
					t.Errorf("the administrator's unit: %v", err)
				}
				os.Remove(stub)
			})
		}, ""},
		{"the host runs a unit of the name", func(_ *testing.T, h *host) { h.runs = "web@web.service" },
			"web@web.service runs on this host"},
		{"the config cannot be written", func(_ *testing.T, h *host) {
			h.Configs.Dir = filepath.Join(h.Host.Root, "etc/machine-id", "none")
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			c.change(t, h)
			s, err := h.Create(t.Context(), h.options("web"))
			if err == nil {
				t.Fatalf("made %+v", s)
			}
			says(t, err, c.want)
			if _, err := os.Lstat(filepath.Dir(h.content)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is left: %v", h.content, err)
			}
		})
	}
}

// What one that was killed left, the next create removes.
func TestCreateAfterKill(t *testing.T) {
	h := newHost(t)
	s := config.New("web")
	s.Content = filepath.Join(h.content, "web")
	if err := h.Host.MarkCreating(s); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Content, "half"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.create(t, "web")
	h.warned(t, "removing what an interrupted create left at "+s.Content)
	if _, err := os.Lstat(filepath.Join(s.Content, "half")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half of a file is left: %v", err)
	}
}

// Content that is somebody's is refused.
func TestClaimContent(t *testing.T) {
	h := newHost(t)
	s := h.create(t, "web")
	if err := h.Configs.Remove("web"); err != nil {
		t.Fatal(err)
	}
	_, err := h.claimContent(s)
	says(t, err, "has content of a sandbox whose config is gone")
	foreign := &config.Sandbox{Name: "foreign", Content: t.TempDir()}
	if err := os.WriteFile(foreign.Content+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = h.claimContent(foreign)
	says(t, err, "exists and is not of virt-sandbox")
	made, err := h.claimContent(&config.Sandbox{Content: foreign.Content + "/a/b/c"})
	if err != nil || made != foreign.Content+"/a" {
		t.Errorf("made %q, %v", made, err)
	}
}

// A directory on the way that another has come to use stays.
func TestRemoveMade(t *testing.T) {
	top := filepath.Join(t.TempDir(), "top")
	if err := os.MkdirAll(top+"/a/b", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(top+"/used", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir, top string
		left     []string
	}{
		{top + "/a/b", "", []string{top + "/a/b"}},
		{top + "/a/b", top, []string{top}},
		{top + "/gone/away", top + "/gone", []string{top}},
	} {
		if err := removeMade(c.dir, c.top); err != nil {
			t.Error(err)
		}
		for _, dir := range c.left {
			if _, err := os.Lstat(dir); err != nil {
				t.Errorf("of %s up to %s: %v", c.dir, c.top, err)
			}
		}
	}
	if _, err := os.Lstat(top + "/a"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty directory is left: %v", err)
	}
}
