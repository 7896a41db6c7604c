// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/editing"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/hostsystemd"
	"github.com/virt-sandbox/virt-sandbox/internal/innersystemd"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// create makes a sandbox "web" of the host's service.
func (h *host) create() *config.Sandbox {
	h.t.Helper()
	s, err := h.Create(h.t.Context(), CreateOptions{Name: "web", Units: []string{"web"}, Base: h.content})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// A sandbox comes into being whole, is told of by every verb that only looks, and goes whole.
func TestLifeOfSandbox(t *testing.T) {
	h := newHost(t)
	s := h.create()
	stub := h.stubs().Path(s)
	if _, err := os.Lstat(stub); err != nil || !h.hasContent(s) {
		t.Fatalf("unit file: %v; content %t", err, h.hasContent(s))
	}
	if _, err := h.Create(t.Context(), CreateOptions{Name: "web", Units: []string{"web"}}); err == nil {
		t.Error("its name was given away again")
	}
	list, err := h.List(t.Context())
	if err != nil || len(list) != 1 || list[0].State != "stopped" || list[0].Level != s.Security.Level ||
		list[0].Unit != s.HostUnit() {
		t.Errorf("list: %+v, %v", list, err)
	}
	if names, err := h.UpgradableNames(); err != nil || !slices.Equal(names, []string{"web"}) {
		t.Errorf("to upgrade: %v, %v", names, err)
	}
	if names, err := h.CheckNames(); err != nil || !slices.Equal(names, []string{"web"}) {
		t.Errorf("to check: %v, %v", names, err)
	}
	if findings, err := h.Check(t.Context(), "web", false); err != nil || len(findings) > 0 {
		t.Errorf("check: %v, %v", findings, err)
	}
	upgraded, err := h.Upgrade(t.Context(), "web", UpgradeOptions{})
	if err != nil || upgraded.Changed() {
		t.Errorf("upgrade: %+v, %v", upgraded, err)
	}
	if err := os.Remove(stub); err != nil {
		t.Fatal(err)
	}
	unit, err := h.WriteUnitFile(t.Context(), "web")
	if _, lost := os.Lstat(stub); err != nil || lost != nil || unit != s.HostUnit() {
		t.Errorf("unit file %s: %v, %v", unit, err, lost)
	}
	if _, err := h.Delete(t.Context(), "web", "", false); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{stub, h.Store.Path("web"), s.Content} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
	if _, err := h.Delete(t.Context(), "web", "", false); !errors.Is(err, config.ErrNotFound) {
		t.Errorf("a second delete: %v", err)
	}
	if !slices.Contains(h.systemd.calls, "reload") || !slices.Contains(h.systemd.calls, "forget "+s.HostUnit()) {
		t.Errorf("systemd was asked to %v", h.systemd.calls)
	}
}

// A level that a container runs with is nobody else's, whatever becomes of its config.
func TestLevelOfRunningIsTaken(t *testing.T) {
	h := newHost(t)
	s := h.create()
	h.up(s, places.PhaseReady)
	if err := h.Store.Remove("web"); err != nil {
		t.Fatal(err)
	}
	_, err := h.Create(t.Context(), CreateOptions{
		Name: "other", Units: []string{"web"}, Base: h.content, Level: s.Security.Level,
	})
	says(t, err, "libvirt domain web")
}

// Nothing is made below a container that may be up, whose root would have it made elsewhere or made to wait: the next
// start completes it.
func TestUpgradeOfRunning(t *testing.T) {
	h := newHost(t)
	s := h.create()
	if err := h.Prepare(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	missing := s.Content + "/etc/fstab"
	for _, phase := range []places.Phase{places.PhaseReady, places.PhaseStarting, places.PhaseStopping, ""} {
		if err := os.RemoveAll(missing); err != nil {
			t.Fatal(err)
		}
		if phase != "" {
			h.up(s, phase)
		} else if err := h.run("web").Remove(); err != nil {
			t.Fatal(err)
		}
		result, err := h.Upgrade(t.Context(), "web", UpgradeOptions{})
		if err != nil || result.Running != (phase == places.PhaseReady) {
			t.Errorf("%s: %+v, %v", phase, result, err)
		}
		if _, err := os.Lstat(missing); errors.Is(err, os.ErrNotExist) != (phase != "") {
			t.Errorf("%s: what is missing is made: %v", phase, err)
		}
	}
}

// What runs is not deleted; what was left half way is ended first.
func TestDeleteOfRunning(t *testing.T) {
	h := newHost(t)
	s := h.create()
	h.up(s, places.PhaseReady)
	if _, err := h.Delete(t.Context(), "web", "", false); !errors.Is(err, ErrRunning) {
		t.Fatalf("got %v", err)
	}
	if !h.hasContent(s) {
		t.Fatal("its content is gone")
	}
	if err := h.run("web").SetPhase(places.PhaseStarting); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Delete(t.Context(), "web", "", false); err != nil {
		t.Fatal(err)
	}
	h.warned("ending what an interrupted start or stop left of web")
	h.isDown()
}

// A copy has an identity of its own. Of a container that is up none is made, unless that is halted meanwhile.
func TestCloneAndExport(t *testing.T) {
	h := newHost(t)
	s := h.create()
	h.up(s, places.PhaseReady)
	o := CloneOptions{Source: "web", Name: "copy", Base: h.content}
	if _, err := h.Clone(t.Context(), o); !errors.Is(err, ErrRunning) {
		t.Errorf("of one that is up: %v", err)
	}
	if err := h.Export(t.Context(), ExportOptions{Name: "web"}, io.Discard); !errors.Is(err, ErrRunning) {
		t.Errorf("export of one that is up: %v", err)
	}
	if err := h.run("web").SetPhase(places.PhaseStopping); err != nil {
		t.Fatal(err)
	}
	_, err := h.Clone(t.Context(), o)
	says(t, err, "an interrupted start or stop left web half way; run stop first")
	if err := h.Stop(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 {
		t.Skip("needs root to copy what hides the host's files")
	}
	copied, err := h.Clone(t.Context(), o)
	if err != nil || copied.UUID == s.UUID || copied.Security.Level == s.Security.Level || !h.hasContent(copied) {
		t.Errorf("clone: %+v, %v", copied, err)
	}
	var archive bytes.Buffer
	if err := h.Export(t.Context(), ExportOptions{Name: "web"}, &archive); err != nil {
		t.Fatal(err)
	}
	imported, err := h.Import(t.Context(), ImportOptions{Name: "third", Base: h.content}, &archive)
	if err != nil || !h.hasContent(imported) {
		t.Errorf("import: %+v, %v", imported, err)
	}
}

// What a person made of a config is taken only where it can be used and stays the same sandbox.
func TestEdit(t *testing.T) {
	h := newHost(t)
	s := h.create()
	replace := func(old, by string) func(string) error {
		return func(file string) error {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			return os.WriteFile(file, []byte(strings.Replace(string(text), old, by, 1)), 0o600)
		}
	}
	never := func(error) bool { return false }
	t.Setenv("TMPDIR", t.TempDir()) // A refused edit keeps the text.
	web := editing.Target{Name: "web"}
	if err := h.Editor().Edit(t.Context(), web, replace("start-timeout=5m", "start-timeout=7m"), never); err != nil {
		t.Fatal(err)
	}
	if now, err := h.Store.Load("web"); err != nil || now.Limits.StartTimeout != 7*time.Minute {
		t.Errorf("got %+v, %v", now, err)
	}
	if err := h.Editor().Edit(t.Context(), web, func(string) error { return nil }, never); err != nil {
		t.Error(err)
	}
	h.warned("nothing was changed")
	h.up(s, places.PhaseReady)
	if err := h.Editor().Edit(t.Context(), web, replace("start-timeout=7m", "start-timeout=8m"), never); err != nil {
		t.Error(err)
	}
	h.warned("web is running: what was changed takes effect at its next start")
	for _, c := range []struct{ old, by, want string }{
		{"[sandbox]", "[sandbox]\nuuid=0c7f6a0a-0000-4000-8000-00000000000f", "uuid"},
		{"[limits]", "[nonsense]", "nonsense"},
	} {
		asked := 0
		err := h.Editor().Edit(t.Context(), web, replace(c.old, c.by), func(err error) bool {
			says(t, err, c.want)
			asked++
			return false
		})
		var kept *editing.Error
		if !errors.As(err, &kept) || asked != 1 {
			t.Errorf("%s: got %v after %d questions", c.by, err, asked)
		}
	}
	meanwhile := func(file string) error {
		text, err := h.Store.Read("web")
		if err != nil {
			return err
		}
		return errors.Join(replace("8m", "9m")(file), h.Store.Write("web", text+"# of somebody else\n"))
	}
	says(t, h.Editor().Edit(t.Context(), web, meanwhile, never), "was changed by somebody else meanwhile")
	err := h.Editor().Edit(t.Context(), editing.Target{Name: "absent"}, nil, never)
	if !errors.Is(err, config.ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
}

// A restart is one job of the host's systemd where the unit is up and keeps its name.
func TestRestartUnit(t *testing.T) {
	h := newHost(t)
	s := h.command("web")
	restart := func(want bool, calls ...string) {
		t.Helper()
		h.systemd.calls = nil
		if asked, err := RestartUnit(t.Context(), h.Manager, "web"); asked != want || err != nil {
			t.Errorf("got %v, %v", asked, err)
		}
		if !slices.Equal(h.systemd.calls, calls) {
			t.Errorf("systemd was asked to %v", h.systemd.calls)
		}
	}
	restart(false, "restart "+s.HostUnit())
	h.up(s, places.PhaseReady)
	h.systemd.active = true
	restart(true, "restart "+s.HostUnit())
	started := *s
	started.Command, started.Units = nil, []string{"other.service"}
	h.up(&started, places.PhaseReady)
	restart(false)
	if _, err := RestartUnit(t.Context(), h.Manager, "absent"); !errors.Is(err, config.ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
}

// A unit of the host's systemd starts and stops the container; where none runs it, the container is stopped itself.
func TestUnits(t *testing.T) {
	h := newHost(t)
	s := h.command("web")
	h.up(s, places.PhaseReady)
	if err := h.StopUnit(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	h.isDown()
	if err := h.StopUnit(t.Context(), "web"); err != nil {
		t.Errorf("of one that is down: %v", err)
	}
	want := []string{"stop " + s.HostUnit(), "stop " + s.HostUnit()}
	if !slices.Equal(h.systemd.calls, want) {
		t.Errorf("systemd was asked to %v", h.systemd.calls)
	}
	h.systemd.fails = errors.New("refused")
	h.up(s, places.PhaseReady)
	says(t, h.StopUnit(t.Context(), "web"), "refused")
	if h.libvirt.domains["web"] == nil {
		t.Error("a container whose unit does not stop was stopped")
	}
	s.State = config.StateDeleting
	h.save(s)
	_, err := h.WriteUnitFile(t.Context(), "web")
	says(t, err, "web is being deleted")
	if err := h.BatchReloads(t.Context(), func() {}); err == nil {
		t.Error("reloading did not fail")
	}
}

// A list says of each sandbox how it is.
func TestList(t *testing.T) {
	h := newHost(t)
	if list, err := h.List(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("of none: %v, %v", list, err)
	}
	h.up(h.command("up"), places.PhaseReady)
	h.up(h.command("starting"), places.PhaseStarting)
	h.up(h.command("ended"), places.PhaseReady).process = nil
	h.up(h.command("others"), places.PhaseReady).uuid = "another"
	deleted := h.command("deleted")
	deleted.State = config.StateDeleting
	h.save(deleted)
	if err := os.WriteFile(h.Store.Path("odd"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := h.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, s := range list {
		got[s.Name] = s.State
		if (s.Error != "") != (s.State == "unusable") {
			t.Errorf("%s: error %q", s.Name, s.Error)
		}
	}
	for name, want := range map[string]string{
		"up": "running", "starting": "starting", "ended": "stopped", "others": "unusable", "deleted": "deleting",
		"odd": "unusable",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, not %q", name, got[name], want)
		}
	}
	h.libvirt.noAnswer = errors.New("refused")
	unknown, err := h.List(t.Context())
	if err == nil || len(unknown) != len(list) {
		t.Errorf("where libvirt refuses: %v, %v", unknown, err)
	}
	for _, s := range unknown {
		if s.State != "unknown" && s.Name != "odd" || s.Name == "odd" && s.State != "unusable" {
			t.Errorf("where libvirt refuses, %s is %s", s.Name, s.State)
		}
	}
}

// Details tell what libvirt, both systemds and the kernel say of a sandbox, and leave out what none does.
func TestDetails(t *testing.T) {
	h := newHost(t)
	s := h.service()
	down := time.Now().UTC()
	h.systemd.booted = true
	h.systemd.status = &hostsystemd.Status{InactiveSince: down, Failed: true, Result: "exit-code", LastLine: "no"}
	d, err := h.Details(t.Context(), "web")
	if err != nil || d.IsRunning() || d.LastError != s.HostUnit()+" failed (exit-code): no" || d.Since == nil {
		t.Errorf("of one that is down: %+v, %v", d, err)
	}
	h.systemd.status.ExitStatus, h.systemd.status.Said = 1, "web.service inside failed (exit-code)"
	if d, err = h.Details(t.Context(), "web"); err != nil ||
		d.LastError != s.HostUnit()+" failed (exit-code): web.service inside failed (exit-code)" {
		t.Errorf("of one that did not start: %+v, %v", d, err)
	}
	domain := h.up(s, places.PhaseReady)
	h.hasFirst(domain)
	h.inner.states = map[string]innersystemd.State{"web.service": {Active: "active", Sub: "running", Result: "success"}}
	h.inner.failed = []string{"other.service"}
	h.systemd.status = nil
	d, err = h.Details(t.Context(), "web")
	if err != nil || !d.IsRunning() || d.Halted || !slices.Equal(d.Failed, []string{"other.service"}) ||
		!slices.Equal(d.InnerUnits, []InnerUnit{{Unit: "web.service", Active: "active", Sub: "running", Result: "success"}}) {
		t.Errorf("of one that is up: %+v, %v", d, err)
	}
	if d.Usage.PIDsLimit == nil || *d.Usage.PIDsLimit != 4096 || d.Usage.MemoryLimit != nil {
		t.Errorf("limits %+v", d.Usage)
	}
	h.inner.closed = errors.New("web does not answer")
	if d, err = h.Details(t.Context(), "web"); err != nil || len(d.InnerUnits) > 0 {
		t.Errorf("of one that does not answer: %+v, %v", d, err)
	}
	h.warned("web does not answer")
	if domain.paused = true; d != nil {
		if d, err = h.Details(t.Context(), "web"); err != nil || !d.Halted {
			t.Errorf("of one that is paused: %+v, %v", d, err)
		}
	}
	if _, err := h.Details(t.Context(), "absent"); !errors.Is(err, config.ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
}

// Units that can be are reloaded; one that is named and cannot be is refused before any other is reloaded.
func TestReload(t *testing.T) {
	h := newHost(t)
	s := h.service()
	says(t, h.Reload(t.Context(), "web"), "is not running")
	h.up(s, places.PhaseReady)
	can := innersystemd.State{Load: "loaded", Active: "active", CanReload: true}
	cannot, inactive, absent := can, can, innersystemd.State{Load: "not-found"}
	cannot.CanReload, inactive.Active = false, "inactive"
	h.inner.states = map[string]innersystemd.State{
		"web.service": can, "other.service": can, "no.service": cannot, "down.service": inactive, "absent.service": absent,
	}
	for _, c := range []struct {
		named    []string
		reloaded []string
		want     string
	}{
		{nil, []string{"reload web.service"}, ""},
		{[]string{"other"}, []string{"reload other.service"}, ""},
		{[]string{"web", "no"}, nil, "no.service inside has no ExecReload=; restart it"},
		{[]string{"down"}, nil, "down.service inside is inactive, and only what is active"},
		{[]string{"absent"}, nil, "absent.service inside is not-found"},
		{[]string{"../x"}, nil, "../x"},
	} {
		h.inner.calls = nil
		err := h.Reload(t.Context(), "web", c.named...)
		if c.want != "" {
			says(t, err, c.want)
		} else if err != nil {
			t.Errorf("%v: %v", c.named, err)
		}
		if !slices.Equal(h.inner.calls, c.reloaded) {
			t.Errorf("%v: %v", c.named, h.inner.calls)
		}
	}
	h.inner.fails = &UnitError{Unit: "web.service", Reason: "failed"}
	says(t, h.Reload(t.Context(), "web"), "web.service inside failed")
	h.inner.states["web.service"] = cannot
	says(t, h.Reload(t.Context(), "web"), "web.service of web cannot be reloaded; restart it")
	h.command("job")
	says(t, h.Reload(t.Context(), "job"), "job runs a command, which cannot be reloaded")
}

// Nobody enters a container that is down, paused or not yet known to be entered.
func TestEnterRefused(t *testing.T) {
	h := newHost(t)
	s := h.service()
	run := func() error {
		_, err := h.Execute(t.Context(), "web", enter.Command{Args: []string{"true"}}, true)
		return err
	}
	if err := run(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("of one that is down: %v", err)
	}
	if err := h.RotateLogs(t.Context(), "web", io.Discard); !errors.Is(err, ErrNotRunning) {
		t.Errorf("logs of one that is down: %v", err)
	}
	domain := h.up(s, places.PhaseStarting)
	if err := run(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("of one that only starts: %v", err)
	}
	if _, err := h.dialInside(t.Context(), s); !errors.Is(err, ErrNotRunning) {
		t.Errorf("systemd of one that only starts: %v", err)
	}
	if h.journalOf(s, "web.service") != "" {
		t.Error("it has a journal")
	}
	domain.paused = true
	says(t, run(), "web is paused; run resume web first")
	if _, err := h.addresses(t.Context(), "web"); err == nil {
		t.Error("it has addresses")
	}
	if err := h.Thaw(t.Context(), "web"); err != nil {
		t.Error(err)
	}
}

// The console of a command is its log; what a container with systemd logged is its journal.
func TestLogs(t *testing.T) {
	h := newHost(t)
	s := h.command("job")
	if err := h.Prepare(t.Context(), "job"); err != nil {
		t.Fatal(err)
	}
	console, err := h.ConsoleLog("job")
	if err != nil {
		t.Fatal(err)
	}
	defer console.Close()
	if _, err := console.WriteString("one\ntwo\n"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if status, err := h.Logs(t.Context(), "job", LogOptions{Lines: 1}, &out, io.Discard); err != nil || status != 0 ||
		!strings.HasSuffix(out.String(), "two\n") || strings.Contains(out.String(), "one") {
		t.Errorf("got %d, %v, %q of %s", status, err, out.String(), filepath.Base(s.Content))
	}
	_, err = h.Logs(t.Context(), "job", LogOptions{Unit: "web"}, &out, io.Discard)
	says(t, err, "job runs a command and has no units")
	h.up(h.service(), places.PhaseStarting)
	_, err = h.Logs(t.Context(), "web", LogOptions{}, &out, io.Discard)
	says(t, err, "enter web: web is not running")
	if len(LogForms()) == 0 {
		t.Error("there are no forms")
	}
}

// Of one-shots, the helper tells whose name a name is, and removes what images and libvirt left.
func TestOneShotHost(t *testing.T) {
	h := newHost(t)
	s := h.command("web")
	host := h.OneShots().Host
	if !host.HasConfig("web") || host.HasConfig("other") {
		t.Error("a name is taken for another's")
	}
	if interfaces, err := host.PrepareInterfaces(h.libvirt, s); err != nil || len(interfaces) > 0 {
		t.Errorf("got %v, %v", interfaces, err)
	}
	if err := host.AttachImages(t.Context(), s); err != nil {
		t.Error(err)
	}
	log := h.places("web").LibvirtLog()
	if err := errors.Join(os.MkdirAll(filepath.Dir(log), 0o755), os.WriteFile(log, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := host.Release("web"); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(log); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("libvirt's log is left: %v", err)
	}
}

// What is wrong with a request anyway is said where libvirt does not answer.
func TestWrongAnyway(t *testing.T) {
	h := newHost(t)
	h.libvirt.noAnswer = fmt.Errorf("connect to libvirt: %w", virt.ErrNoConnection)
	if _, err := h.Create(t.Context(), CreateOptions{Name: "x", Units: []string{"nosuch"}}); err == nil ||
		!strings.Contains(err.Error(), "no such unit as nosuch.service") {
		t.Errorf("create of no unit: %v", err)
	}
	if _, err := h.Create(t.Context(), CreateOptions{Name: "x", Units: []string{"web"}}); !errors.Is(err,
		h.libvirt.noAnswer) {
		t.Errorf("create: %v", err)
	}
	var option *OptionError
	if _, err := h.Create(t.Context(), CreateOptions{Name: "a b", Units: []string{"nosuch"}}); !errors.As(err, &option) {
		t.Errorf("create of no name: %v", err)
	}
	if _, err := h.Delete(t.Context(), "x", "", false); !errors.Is(err, config.ErrNotFound) {
		t.Errorf("delete of none: %v", err)
	}
	if _, err := h.Delete(t.Context(), "x", "/srv", false); !errors.Is(err, h.libvirt.noAnswer) {
		t.Errorf("delete of none with a place: %v", err)
	}
}

// One that a killed command left half way is told from one that a command works on.
func TestInterrupted(t *testing.T) {
	h := newHost(t)
	h.up(h.command("web"), places.PhaseReady)
	is := func(want string) {
		t.Helper()
		list, err := h.List(t.Context())
		if err != nil || len(list) != 1 || list[0].Summary() != want {
			t.Errorf("list: %+v, %v; want %s", list, err, want)
		}
	}
	is("running")
	if err := h.run("web").SetPhase(places.PhaseStopping); err != nil {
		t.Fatal(err)
	}
	is("stopping (interrupted)")
	delete(h.libvirt.domains, "web")
	is("stopped (interrupted)")
	lock, err := h.locks().Name(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	is("stopped")
	lock.Release()
	if err := h.Stop(t.Context(), "web"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("stop: %v", err)
	}
	is("stopped")
}
