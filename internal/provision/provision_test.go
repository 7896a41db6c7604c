// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/alloc"
	"github.com/virt-sandbox/virt-sandbox/internal/claims"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
	"github.com/virt-sandbox/virt-sandbox/internal/hostnet"
	"github.com/virt-sandbox/virt-sandbox/internal/hostsystemd"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/sandboximage"
	"github.com/virt-sandbox/virt-sandbox/internal/statefile"
	"github.com/virt-sandbox/virt-sandbox/internal/unitstub"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// host is a temporary host with a service, a libvirt that has the domains listed, and containers that never run.
type host struct {
	*Provisioner
	content  string // where sandboxes get their content
	warnings []string

	domains    []string // of libvirt's
	noAnswer   error    // of libvirt
	unmappable error    // says why a user namespace cannot show files of the host
	swept      []string
	held       int   // containers that are held
	up         error // what is said of a container that is up
	reloads    int
	runs       string // a unit of the host itself
	broken     error  // what reloading ends with
}

func newHost(t *testing.T) *host {
	t.Helper()
	root := hosttest.Root(t, map[string]string{
		"/usr/lib/systemd/system/web.service":   "[Service]\nExecStart=/usr/sbin/web\n",
		"/usr/lib/systemd/system/other.service": "[Service]\nExecStart=/usr/sbin/web\n",
		"/usr/sbin/web":                         "",
		"/etc/web/web.conf":                     "port=80\n",
		"/etc/machine-id":                       "0123456789abcdef0123456789abcdef\n",
		units.Dir + "/":                         "",
	})
	packages := hosttest.Packages{{Name: "web", Files: []pkgdb.File{
		{Path: "/usr/lib/systemd/system/web.service"}, {Path: "/usr/lib/systemd/system/other.service"},
		{Path: "/usr/sbin/web"}, {Path: "/etc/web/web.conf", Config: true},
	}}}
	h := &host{content: filepath.Join(t.TempDir(), "made", "content")}
	warn := func(format string, args ...any) { h.warnings = append(h.warnings, fmt.Sprintf(format, args...)) }
	store, locks := config.Store{Dir: t.TempDir(), States: statefile.Dir(t.TempDir())}, lockfile.New(root, warn)
	machine := content.Host{Root: root, Packages: []pkgdb.Database{packages}}
	book := claims.New(claims.Options{
		Root: root, Warn: warn,
		Lock:           func(context.Context) (func(), error) { return func() {}, nil },
		InHostMounts:   func(func() error) error { return nil },
		UnlinkJournals: func(string) error { return nil },
	})
	h.Provisioner = New(Options{
		Configs: store, Host: machine, Claims: book, Warn: warn, Containers: h, Systemd: h,
		Levels: &alloc.Book{
			Root: root, Locks: locks, Configs: store, Host: machine, Warn: warn,
			Domains: func(string) ([]alloc.Use, error) { return nil, nil },
		},
		Images: &sandboximage.Images{
			Root: places.Root(root), Configs: store, Claims: book, IsLabelled: machine.SELinux, LockName: locks.Name, Warn: warn,
			Systemd: noSystemd{},
		},
		Stubs: unitstub.Files{Root: root, Store: store}, Network: hostnet.New(store, warn),
		Connect:    func() (Connection, error) { return connection{h}, h.noAnswer },
		CheckIDMap: func([]string) error { return h.unmappable },
	})
	return h
}

// noSystemd is that of a host which was booted with another init.
type noSystemd struct{ claims.Systemd }

func (noSystemd) Booted() bool { return false }

// LockName implements Containers.
func (h *host) LockName(ctx context.Context, name string) (*lockfile.Lock, error) {
	return h.Levels.Locks.Name(ctx, name)
}

// LockNames implements Containers.
func (h *host) LockNames(ctx context.Context, names ...string) (lockfile.Locks, error) {
	return h.Levels.Locks.Names(ctx, names...)
}

// Hold implements Containers.
func (h *host) Hold(_ context.Context, _ *config.Sandbox, freeze bool) (func() error, error) {
	if h.up != nil && !freeze {
		return nil, h.up
	}
	h.held++
	return func() error { h.held--; return nil }, nil
}

// EndUnfinished implements Containers.
func (h *host) EndUnfinished(context.Context, *config.Sandbox) error { return h.up }

// Sweep implements Containers.
func (h *host) Sweep(name string) error {
	h.swept = append(h.swept, name)
	return nil
}

// Reload implements Systemd.
func (h *host) Reload(context.Context) error {
	h.reloads++
	return h.broken
}

// Forget implements Systemd.
func (h *host) Forget(context.Context, string) error { return nil }

func (h *host) RunsAnother(_ context.Context, unit hostsystemd.Unit) (bool, error) {
	return unit.Name == h.runs, nil
}

// connection is one to the libvirt of a host.
type connection struct{ *host }

func (connection) URI() string                                             { return "lxc:///" }
func (connection) CheckFilter(string) error                                { return nil }
func (connection) IsNetworkActive(string) (bool, error)                    { return true, nil }
func (connection) NetworkXML(string) (string, error)                       { return "", nil }
func (connection) DomainTexts(func(string, string) bool) ([]string, error) { return nil, nil }
func (c connection) HasDomain(name string) (bool, error) {
	return slices.Contains(c.domains, name), nil
}
func (connection) SecurityModel() (string, error) { return "", nil }
func (connection) Close()                         {}

// options are those of a sandbox that runs the host's service.
func (h *host) options(name string) describe.Options {
	return describe.Options{Name: name, Units: []string{"web.service"}, Base: h.content}
}

func (h *host) create(t *testing.T, name string) *config.Sandbox {
	t.Helper()
	s, err := h.Create(t.Context(), h.options(name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// needRoot skips a test that copies content: only root can read what hides the host's files in it.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
}

// isGone fails unless nothing of a sandbox is left.
func (h *host) isGone(t *testing.T, name string) {
	t.Helper()
	stub := h.Stubs.Path(&config.Sandbox{Name: name, Units: []string{"web.service"}})
	run := h.places(name)
	all := []string{
		h.Configs.Path(name), filepath.Dir(h.Configs.States.Path(name)), filepath.Join(h.content, name), stub, run.Images(),
		run.Run().Path(),
	}
	for _, path := range all {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
}

// warned fails unless there was a warning which says so.
func (h *host) warned(t *testing.T, want string) {
	t.Helper()
	if !slices.ContainsFunc(h.warnings, func(w string) bool { return strings.Contains(w, want) }) {
		t.Errorf("warnings %q, want %q", h.warnings, want)
	}
}

// says fails unless an error says something.
func says(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// A Provisioner that is told of nobody to warn warns nobody.
func TestNew(t *testing.T) {
	p := New(Options{})
	p.Warn("nobody")
	if p.Noted == nil || p.isUp("web") {
		t.Error("a new one is not usable")
	}
}
