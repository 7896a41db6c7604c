// SPDX-License-Identifier: Apache-2.0

package upgrading

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/alloc"
	"github.com/virt-sandbox/virt-sandbox/internal/claims"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/contentupgrade"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
	"github.com/virt-sandbox/virt-sandbox/internal/hostnet"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/legacy/takeover"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/provision"
	"github.com/virt-sandbox/virt-sandbox/internal/sandboximage"
	"github.com/virt-sandbox/virt-sandbox/internal/statefile"
	"github.com/virt-sandbox/virt-sandbox/internal/unitstub"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// host is a temporary host with a service whose package can have another version, and a libvirt with one domain at
// most.
type host struct {
	*Upgrader
	t        *testing.T
	content  string // where sandboxes get their content
	web      *pkgdb.Package
	domain   *fakeDomain // nil for none
	reloads  int
	warnings []string
}

// fakeDomain is the domain of a legacy sandbox.
type fakeDomain struct {
	config  string // directory that is bound into it
	active  bool
	defined bool
}

func (d *fakeDomain) XML() (string, error) {
	return "<domain type='lxc'><devices><filesystem type='mount'><source dir='" + d.config +
		"'/><target dir='/mnt'/></filesystem></devices></domain>", nil
}
func (d *fakeDomain) IsPersistent() (bool, error) { return d.defined, nil }
func (d *fakeDomain) IsActive() (bool, error)     { return d.active, nil }
func (d *fakeDomain) Undefine() error {
	d.defined = false
	return nil
}

// noSystemd is that of a host which was booted with another init.
type noSystemd struct{ claims.Systemd }

func (noSystemd) Booted() bool { return false }

func newHost(t *testing.T) *host {
	t.Helper()
	root := hosttest.Root(t, map[string]string{
		"/usr/lib/systemd/system/": "", "/etc/machine-id": strings.Repeat("0", 32) + "\n", units.Dir + "/": "",
	})
	h := &host{t: t, content: filepath.Join(t.TempDir(), "content")}
	h.web = hosttest.Ship(t, root, map[string]string{
		"/usr/lib/systemd/system/web.service": "[Service]\nExecStart=/usr/sbin/web\n", "/usr/sbin/web": "",
		"/etc/web/web.conf": "port=80\n",
	})
	warn := func(format string, args ...any) { h.warnings = append(h.warnings, fmt.Sprintf(format, args...)) }
	store, locks := config.Store{Dir: t.TempDir(), States: statefile.Dir(t.TempDir())}, lockfile.New(root, warn)
	machine := content.Host{Root: root, Packages: []pkgdb.Database{hosttest.Packages{h.web}}}
	book := claims.New(claims.Options{
		Root: root, Warn: warn,
		Lock:           func(context.Context) (func(), error) { return func() {}, nil },
		InHostMounts:   func(do func() error) error { return do() },
		UnlinkJournals: func(string) error { return nil },
	})
	images := &sandboximage.Images{
		Root: places.Root(root), Configs: store, Claims: book, IsLabelled: machine.SELinux, LockName: locks.Name, Warn: warn,
		Systemd: noSystemd{},
	}
	stubs := unitstub.Files{Root: root, Store: store}
	levels := &alloc.Book{
		Root: root, Locks: locks, Configs: store, Host: machine, Warn: warn,
		Domains: func(string) ([]alloc.Use, error) { return nil, nil },
	}
	h.Upgrader = &Upgrader{
		Configs: store, Host: machine, Images: images, Stubs: stubs, URI: "lxc:///", LockName: locks.Name, Warn: warn,
		Provisioner: provision.New(provision.Options{
			Configs: store, Host: machine, Claims: book, Warn: warn, Levels: levels, Images: images, Stubs: stubs,
			Network: hostnet.New(store, warn),
			Connect: func() (provision.Connection, error) { return nil, errors.New("there is no libvirt") },
		}),
		WithDomain: func(_ string, act func(Domain) error) error {
			if h.domain == nil {
				return nil
			}
			return act(h.domain)
		},
		Reload: func(context.Context) error { h.reloads++; return nil },
	}
	return h
}

// made saves a sandbox "web" of the service, with its content.
func (h *host) made() *config.Sandbox {
	h.t.Helper()
	s := config.New("web")
	s.Units, s.Content, s.Security.Level = []string{"web.service"}, filepath.Join(h.content, "web"), "s0:c1,c2"
	describe.Identify(s)
	s.Copy, s.Created = true, time.Time{} // as the config of one that is to be made
	err := h.Provisioner.PlanContent(h.t.Context(), s)
	if err == nil {
		err = h.Configs.Write("web", s.Text())
	}
	if err == nil {
		err = h.Provisioner.Prepare(h.t.Context(), s)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// legacy puts a legacy sandbox "web" on the host: config, content, unit and domain.
func (h *host) legacy(lines ...string) (file string) {
	h.t.Helper()
	file = h.legacyConfigs().Path("web")
	tree := filepath.Join(h.content, "web")
	text := strings.Join(append([]string{
		"[api]", "class=GVirSandboxConfigServiceSystemd", "version=0.2.1",
		"[core]", "name=web", "uuid=0f1e2d3c4b5a69788796a5b4c3d2e1f0", "root=/",
		"[mount.0]", "type=GVirSandboxConfigMountHostBind", "target=/etc/machine-id", "source=" + tree + "/etc/machine-id",
		"[mount.1]", "type=GVirSandboxConfigMountHostBind", "target=/etc/web", "source=" + tree + "/etc/web",
		"[mount.2]", "type=GVirSandboxConfigMountHostBind", "target=/var", "source=" + tree + "/var",
		"[security]", "label=system_u:system_r:svirt_lxc_net_t:s0:c5,c6", "dynamic=false",
		"[service]", "bootTarget=multi-user.target",
	}, lines...), "\n") + "\n"
	hosttest.Add(h.t, "", map[string]string{
		file: text, tree + "/etc/machine-id": "0f1e2d3c4b5a69788796a5b4c3d2e1f0\n", tree + "/etc/web/web.conf": "port=81\n",
		tree + "/var/": "",
		h.Stubs.Root + units.Dir + "/web_sandbox.service": "[Unit]\nReloadPropagatedFrom=web.service\n[Service]\n" +
			"ExecStart=/usr/libexec/virt-sandbox-service-util -c lxc:/// -s web\n",
	})
	h.domain = &fakeDomain{config: filepath.Dir(file), defined: true}
	return file
}

func (h *host) upgrade(o Options) (*Result, error) {
	h.t.Helper()
	return h.Upgrade(h.t.Context(), "web", o)
}

// says fails unless an error says something.
func says(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// A config of format 1 is split: what was allocated goes beside it, its words stay, and it is the same sandbox.
func TestUpgradeOfFormat1(t *testing.T) {
	h := newHost(t)
	s := h.made()
	whole := strings.Replace(s.TextLike("web", "# Ask Joe.\n[sandbox]\nname=web\nformat=1\n"), "format=2", "format=1", 1)
	if err := errors.Join(h.Configs.Write("web", whole), h.Configs.States.Remove("web")); err != nil {
		t.Fatal(err)
	}
	before, err := h.Configs.Load("web")
	if err != nil {
		t.Fatal(err)
	}
	step := "config " + h.Configs.Path("web") + " (what was allocated goes to " + h.Configs.States.Path("web") + ")"
	for _, dry := range []bool{true, false} {
		result, err := h.upgrade(Options{Options: contentupgrade.Options{DryRun: dry}})
		if err != nil || !slices.Equal(result.Steps, []string{step}) {
			t.Fatalf("dry %t: got %+v, %v", dry, result, err)
		}
		now, err := h.Configs.Load("web")
		if err != nil || !reflect.DeepEqual(now, before) {
			t.Fatalf("dry %t: it became\n%+v, %v\nand was\n%+v", dry, now, err, before)
		}
		text, err := h.Configs.Read("web")
		if err != nil || (text == whole) != dry || !strings.HasPrefix(text, "# Ask Joe.\n") ||
			strings.Contains(text, s.MachineID) != dry {
			t.Errorf("dry %t: the config is %v\n%s", dry, err, text)
		}
	}
	if result, err := h.upgrade(Options{}); err != nil || result.Changed() {
		t.Errorf("once more: %+v, %v", result, err)
	}
}

// A config that is a link is the affair of who put it there: it stays, and the sandbox is whole all the same.
func TestUpgradeOfLinkedFormat1(t *testing.T) {
	h := newHost(t)
	s := h.made()
	whole := strings.Replace(s.Text(), "format=2", "format=1", 1)
	elsewhere := filepath.Join(t.TempDir(), "web.sandbox")
	if err := errors.Join(os.WriteFile(elsewhere, []byte(whole), 0o600), os.Remove(h.Configs.Path("web")),
		os.Symlink(elsewhere, h.Configs.Path("web")), h.Configs.States.Remove("web")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.upgrade(Options{}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(elsewhere); string(text) != whole || err != nil || !h.Configs.States.Has("web") {
		t.Errorf("it became %v\n%s", err, text)
	}
	if !slices.ContainsFunc(h.warnings, func(w string) bool { return strings.HasSuffix(w, "web.sandbox is a link") }) {
		t.Errorf("warned %q", h.warnings)
	}
}

// Content follows its package, and what a new version needs becomes private; a dry run only says so.
func TestUpgrade(t *testing.T) {
	h := newHost(t)
	s := h.made()
	if result, err := h.upgrade(Options{}); err != nil || result.Changed() || result.Summary() != "web: up to date" {
		t.Fatalf("got %+v, %v", result, err)
	}
	next := hosttest.Ship(t, h.Host.Root, map[string]string{
		"/usr/lib/systemd/system/web.service": "[Service]\nExecStart=/usr/sbin/web\n", "/usr/sbin/web": "",
		"/etc/web/web.conf": "port=8080\n", "/etc/web.d/more.conf": "more\n",
	})
	h.web.Version, h.web.Files = "2", next.Files
	if err := places.Root(h.Host.Root).Of("web").Run().Make("init"); err != nil {
		t.Fatal(err)
	}
	if err := h.run("web").SetPhase(places.PhaseReady); err != nil {
		t.Fatal(err)
	}
	for _, dry := range []bool{true, false} {
		result, err := h.upgrade(Options{Options: contentupgrade.Options{DryRun: dry}})
		if err != nil || !result.Changed() || !result.Running {
			t.Fatalf("dry %t: got %+v, %v", dry, result, err)
		}
		if !strings.HasSuffix(result.Summary(), "; it is running: reload or restart it to use that") {
			t.Errorf("summary %q", result.Summary())
		}
		now, err := h.Configs.Load("web")
		if err != nil {
			t.Fatal(err)
		}
		added := slices.ContainsFunc(now.Private, func(p config.PrivatePath) bool {
			return strings.HasPrefix(p.Path, "/etc/web.d")
		})
		port := hosttest.Reads(t, s.Content, "/etc/web/web.conf")
		if added == dry || (port == "port=8080\n") == dry {
			t.Errorf("dry %t: private %v, %q", dry, now.Private, port)
		}
	}
	if result, err := h.upgrade(Options{}); err != nil || result.Changed() {
		t.Errorf("once more: %+v, %v", result, err)
	}
}

// A sandbox whose packages are not known any more stays as it is, and one that goes is not touched.
func TestUpgradeOfNothing(t *testing.T) {
	h := newHost(t)
	s := h.made()
	h.web.Files = nil
	isTold := func(w string) bool { return strings.HasPrefix(w, "cannot tell what new versions") }
	if result, err := h.upgrade(Options{}); err != nil || result.Changed() || !slices.ContainsFunc(h.warnings, isTold) {
		t.Errorf("got %+v, %v, warnings %q", result, err, h.warnings)
	}
	s.State = config.StateDeleting
	if err := h.Configs.Save(s); err != nil {
		t.Fatal(err)
	}
	_, err := h.upgrade(Options{})
	says(t, err, "web is being deleted; run delete again to finish that")
	if names, err := h.Names(); err != nil || len(names) > 0 {
		t.Errorf("to upgrade: %v, %v", names, err)
	}
	if _, err := h.Upgrade(t.Context(), "absent", Options{}); !errors.Is(err, config.ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
	if _, err := h.Upgrade(t.Context(), "../x", Options{}); err == nil {
		t.Error("no name is refused")
	}
}

// A legacy sandbox becomes ours with its level, its content and its unit, and its domain goes; a dry run only says so.
func TestUpgradeOfLegacy(t *testing.T) {
	h := newHost(t)
	file := h.legacy()
	if names, err := h.Names(); err != nil || !slices.Equal(names, []string{"web"}) {
		t.Errorf("to upgrade: %v, %v", names, err)
	}
	dry, err := h.upgrade(Options{Options: contentupgrade.Options{DryRun: true}})
	if err != nil || len(dry.Steps) != 3 || !h.domain.defined || h.reloads > 0 {
		t.Fatalf("dry: %+v, %v", dry, err)
	}
	if _, err := os.Lstat(h.Configs.Path("web")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a dry run wrote a config: %v", err)
	}
	result, err := h.upgrade(Options{})
	if err != nil || !slices.Equal(result.Steps, dry.Steps) || h.domain.defined || h.reloads != 1 {
		t.Fatalf("got %+v, %v; domain %+v", result, err, h.domain)
	}
	s, err := h.Configs.Load("web")
	if err != nil {
		t.Fatal(err)
	}
	if s.Security.Level != "s0:c5,c6" || !slices.Equal(s.Units, []string{"web.service"}) ||
		s.MachineID != "0f1e2d3c4b5a69788796a5b4c3d2e1f0" {
		t.Errorf("got %+v", s)
	}
	if got := hosttest.Reads(t, s.Content, "/etc/web/web.conf"); got != "port=81\n" {
		t.Errorf("its content is %q", got)
	}
	for path, there := range map[string]bool{
		file: false, file + takeover.BackupSuffix: true, h.Stubs.Path(s): true,
		h.Stubs.Root + units.Dir + "/web_sandbox.service": false,
	} {
		if _, err := os.Lstat(path); (err == nil) != there {
			t.Errorf("%s: %v", path, err)
		}
	}
	if again, err := h.upgrade(Options{}); err != nil || len(again.Steps) > 0 {
		t.Errorf("once more: %+v, %v", again, err)
	}
}

// All that can be refused of a legacy sandbox is refused before anything is changed.
func TestUpgradeOfLegacyRefused(t *testing.T) {
	for _, c := range []struct {
		name    string
		lines   []string
		prepare func(h *host)
		want    string
	}{
		{"it runs", nil, func(h *host) { h.domain.active = true }, "web is running as the original's; stop it first"},
		{"a domain of somebody else", nil, func(h *host) { h.domain.config = "/elsewhere" },
			"libvirt has another domain of the name web"},
		{"its content is gone", nil, func(h *host) { _ = os.RemoveAll(filepath.Join(h.content, "web")) },
			"look at the content of web"},
		{"its unit is gone", nil, func(h *host) { _ = os.Remove(h.Stubs.Root + units.Dir + "/web_sandbox.service") },
			"cannot tell which units web runs"},
		{"no such key", []string{"[nonsense]", "x=y"}, func(*host) {}, "nonsense"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			file := h.legacy(c.lines...)
			c.prepare(h)
			before := hosttest.Snapshot(t, h.content)
			result, err := h.upgrade(Options{})
			if c.name == "no such key" {
				// That is told, and refuses nothing.
				if err != nil || !slices.ContainsFunc(result.Notes, func(n string) bool { return strings.Contains(n, c.want) }) {
					t.Errorf("got %+v, %v", result, err)
				}
				return
			}
			says(t, err, c.want)
			if _, err := os.Lstat(file); err != nil || !h.domain.defined {
				t.Errorf("config: %v; domain %+v", err, h.domain)
			}
			hosttest.CheckSame(t, "content", hosttest.Snapshot(t, h.content), before)
		})
	}
}

// Units that the legacy config does not tell can be named.
func TestUpgradeOfLegacyWithNamedUnits(t *testing.T) {
	h := newHost(t)
	h.legacy()
	if err := os.Remove(h.Stubs.Root + units.Dir + "/web_sandbox.service"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.upgrade(Options{Units: []string{"web"}}); err != nil {
		t.Fatal(err)
	}
	if s, err := h.Configs.Load("web"); err != nil || !slices.Equal(s.Units, []string{"web.service"}) {
		t.Errorf("got %+v, %v", s, err)
	}
}
