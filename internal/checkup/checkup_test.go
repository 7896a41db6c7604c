// SPDX-License-Identifier: Apache-2.0

package checkup_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/contentcheck"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/statefile"
)

// Each state of a sandbox that is not as it should be has a finding of its kind.
func TestCheck(t *testing.T) {
	const name = "unit-test-of-check"
	root := t.TempDir()
	store := config.Store{Dir: root + "/configs", States: statefile.Dir(root + "/states")}
	m := helper.New(helper.Options{Root: root, Store: store, Packages: []pkgdb.Database{}, Warn: t.Errorf})
	dir := t.TempDir()
	healthy := func() *config.Sandbox {
		s := config.New(name)
		s.Hardening.IDMap.None = true
		s.Command, s.MachineID, s.Content = []string{"/bin/true"}, strings.Repeat("1", 32), dir+"/content"
		return s
	}
	save := func(s *config.Sandbox) {
		if err := m.Store.Save(s); err != nil {
			t.Fatal(err)
		}
	}
	created := func() *config.Sandbox {
		s := healthy()
		s.Created = time.Unix(1000000000, 0).UTC()
		return s
	}
	prepared := func() *config.Sandbox {
		s := created()
		if err := os.MkdirAll(s.Content+"/.virt-sandbox", 0o700); err != nil {
			t.Fatal(err)
		}
		for file, text := range map[string]string{
			"manifest": `{"path":"/etc/x","type":"file","origin":"sandbox"}` + "\n", "identity": `{"name":"` + name + `"}`,
		} {
			if err := os.WriteFile(s.Content+"/.virt-sandbox/"+file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(os.MkdirAll(s.Content+"/etc", 0o755), os.WriteFile(s.Content+"/etc/x", nil,
			0o600)); err != nil {
			t.Fatal(err)
		}
		return s
	}
	write := func(file, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	imaged := func() *config.Sandbox {
		s := created()
		s.Image, s.ImageFormat, s.ImageSize = dir+"/image.raw", config.FormatRaw, 1<<20
		return s
	}
	// No case has a unit file, for the host's directory of them is not a test's.
	for _, c := range []struct {
		name string
		make func()
		want []string // kinds with the ends of paths
	}{
		{"never started", func() { save(healthy()) }, nil},
		{"all is there", func() { save(prepared()) }, []string{"unit .service"}},
		{"a file is gone", func() {
			save(prepared())
			if err := os.Remove(dir + "/content/etc/x"); err != nil {
				t.Fatal(err)
			}
		}, []string{"unit .service", "missing /etc/x"}},
		{"its stop was killed", func() {
			save(healthy())
			run := places.Root(root).Of(name).Run()
			if err := errors.Join(run.Make("init"), run.SetPhase(places.PhaseStopping)); err != nil {
				t.Fatal(err)
			}
		}, []string{"leftover " + name}},
		{"its making was interrupted", func() {
			save(prepared())
			write(dir+"/content/.virt-sandbox/creating", "")
		}, []string{"unit .service", "leftover /content"}},
		{"its content is gone", func() { save(created()) }, []string{"unit .service", "content /content"}},
		{"its content is somebody else's", func() {
			save(created())
			if err := os.MkdirAll(dir+"/content/else", 0o700); err != nil {
				t.Fatal(err)
			}
		}, []string{"unit .service", "content /content"}},
		{"it is being deleted", func() {
			s := created()
			s.State = config.StateDeleting
			save(s)
		}, []string{"leftover .sandbox"}},
		{"its config is broken", func() {
			if err := os.MkdirAll(m.Store.Dir, 0o755); err != nil {
				t.Fatal(err)
			}
			write(m.Store.Path(name), "[sandbox]\nnonsense\n")
		}, []string{"config .sandbox"}},
		{"systemd knows no such directive", func() {
			s := healthy()
			s.Unit = []config.Directive{{Name: "Aftr", Value: "x.service"}}
			save(s)
		}, []string{"config .sandbox"}},
		{"its image is gone", func() { save(imaged()) }, []string{"unit .service", "image /image.raw"}},
		{"its image was cut", func() {
			save(imaged())
			write(dir+"/image.raw", "short")
		}, []string{"unit .service", "image /image.raw"}},
		{"its image was not named yet", func() {
			save(imaged())
			write(dir+"/.image.raw.virt-sandbox", "")
		}, []string{"leftover /.image.raw.virt-sandbox", "unit .service"}},
		{"all services are confined", func() {
			save(healthy())
			drop := root + "/etc/systemd/system/service.d"
			if err := os.MkdirAll(drop, 0o755); err != nil {
				t.Fatal(err)
			}
			write(drop+"/zz.conf", "[Service]\nProtectSystem=strict\n")
		}, []string{"unit zz.conf"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Cleanup(func() {
				_ = errors.Join(
					os.RemoveAll(dir+"/content"),
					places.Root(root).Of(name).Run().Remove(),
					os.RemoveAll(dir+"/image.raw"),
					os.RemoveAll(dir+"/.image.raw.virt-sandbox"),
					m.Store.Remove(name),
				)
			})
			c.make()
			findings, err := m.Check(context.Background(), name, false)
			if err != nil {
				t.Fatal(err)
			}
			matches := func(f contentcheck.Finding, want string) bool {
				kind, end, _ := strings.Cut(want, " ")
				return string(f.Problem) == kind && strings.HasSuffix(f.Path, end) && f.Sandbox == name && f.Detail != "" &&
					strings.HasPrefix(f.String(), f.Path+": "+kind+": ") && !strings.Contains(f.String(), "\n")
			}
			if !slices.EqualFunc(findings, c.want, matches) {
				t.Errorf("got %v, want %q", findings, c.want)
			}
		})
	}
	if _, err := m.Check(context.Background(), name, false); !errors.Is(err, config.ErrNotFound) {
		t.Errorf("of nothing: %v", err)
	}
}
