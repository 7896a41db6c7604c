// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/hostsystemd"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/overview"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// A stop goes by what the container was started with, ends its first process in order, and leaves nothing.
func TestStop(t *testing.T) {
	for _, c := range []struct {
		name    string
		first   bool // whether it has a first process, which ends when it is asked to
		prepare func(h *host, d *fakeDomain)
		want    string
		forced  bool
	}{
		{name: "in order", first: true, prepare: func(h *host, d *fakeDomain) {
			// As libvirt's controller ends with the container.
			go func() {
				for h.run("web").Phase() != places.PhaseStopping {
					time.Sleep(time.Millisecond)
				}
				time.Sleep(50 * time.Millisecond)
				d.ends()
			}()
		}},
		{name: "by force", forced: true},
		{name: "its config is gone", forced: true, prepare: func(h *host, _ *fakeDomain) {
			if err := h.Store.Remove("web"); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "libvirtd is restarted meanwhile", forced: true,
			prepare: func(h *host, _ *fakeDomain) { h.libvirt.restarts = 1 }},
		{name: "it stays", want: "destroy domain web: refused",
			prepare: func(_ *host, d *fakeDomain) { d.stays = errors.New("destroy domain web: refused") }},
		{name: "libvirt cannot be reached", want: "connect to libvirt: refused",
			prepare: func(h *host, _ *fakeDomain) { h.libvirt.noAnswer = errors.New("connect to libvirt: refused") }},
		{name: "a domain of somebody else", want: "libvirt has another domain of the name web",
			prepare: func(_ *host, d *fakeDomain) { d.uuid = "another" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			d := h.up(h.command("web"), places.PhaseReady)
			if c.first {
				h.hasFirst(d)
			}
			if c.prepare != nil {
				c.prepare(h, d)
			}
			err := h.Stop(t.Context(), "web")
			if c.want != "" {
				says(t, err, c.want)
				if h.libvirt.domains["web"] == nil {
					t.Error("it is gone")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			h.isDown()
			if forced := slices.Contains(d.did, "destroy"); forced != c.forced {
				t.Errorf("libvirt was asked to %v", d.did)
			}
		})
	}
}

// A stop that could not even begin leaves the container as it was.
func TestStopThatDoesNotBegin(t *testing.T) {
	h := newHost(t)
	h.up(h.command("web"), places.PhaseReady)
	h.libvirt.noAnswer = errors.New("refused")
	if err := h.Stop(t.Context(), "web"); err == nil || h.run("web").Phase() != places.PhaseReady {
		t.Errorf("got %v, phase %q", err, h.run("web").Phase())
	}
}

// What is down is said to be, without libvirt, once nothing of an earlier run is left.
func TestStopOfNothing(t *testing.T) {
	h := newHost(t)
	h.libvirt.noAnswer = errors.New("nobody shall ask")
	h.command("web")
	if err := h.Stop(t.Context(), "web"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("of one that is down: %v", err)
	}
	if err := h.Stop(t.Context(), "absent"); !errors.Is(err, config.ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
	h.libvirt.noAnswer = nil
	dir := h.run("web")
	if err := errors.Join(dir.Make(guest.Program), dir.SetPhase(places.PhaseReady)); err != nil {
		t.Fatal(err)
	}
	if err := h.Stop(t.Context(), "web"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("of one that has ended: %v", err)
	}
	h.isDown()
}

// Where libvirt does not run, or does not answer, the container is ended by what its files say, and they go too.
func TestStopWithoutLibvirt(t *testing.T) {
	h := newHost(t)
	for _, away := range []error{virt.ErrNoAnswer, virt.ErrNoConnection} {
		d := h.up(h.command("web"), places.PhaseReady)
		h.controllerFile(d)
		h.libvirt.noAnswer = fmt.Errorf("connect to libvirt: %w", away)
		if err := h.Stop(t.Context(), "web"); err != nil {
			t.Fatal(err)
		}
		h.warned("libvirt does not answer; shutting web down without it, and it forgets the domain when it is back")
		delete(h.libvirt.domains, "web")
		h.isDown()
		if err := d.process.Wait(); err == nil {
			t.Error("the controller was not killed")
		}
	}
	// A number that another process has by now is no container.
	d := h.up(h.command("web"), places.PhaseReady)
	h.controllerFile(d)
	hosttest.Put(t, h.Host.Root, fmt.Sprintf("/proc/%d/cmdline", d.pid), "/bin/sh\x00--name\x00web\x00")
	if err := h.Stop(t.Context(), "web"); !errors.Is(err, ErrNotRunning) || !d.isAlive() {
		t.Errorf("got %v, alive %t", err, d.isAlive())
	}
}

// Without libvirt, files tell the other verbs of what is up: what needs no libvirt is done.
func TestVerbsWithoutLibvirt(t *testing.T) {
	h := newHost(t)
	s := h.command("web")
	d := h.up(s, places.PhaseReady)
	h.controllerFile(d)
	h.libvirt.noAnswer = fmt.Errorf("connect to libvirt: %w", virt.ErrNoConnection)
	if pid, err := h.controllerPID(s); err != nil || pid != d.pid {
		t.Errorf("its process is %d, %v; want %d", pid, err, d.pid)
	}
	if details, err := h.Details(t.Context(), "web"); err != nil || details.State != overview.Running {
		t.Errorf("status: %+v, %v", details, err)
	}
	h.warned("is left out")
	_, err := h.Delete(t.Context(), "web", h.content, false)
	if !errors.Is(err, ErrRunning) {
		t.Errorf("delete of one that is up: %v", err)
	}
	says(t, Reach(h.Manager), "connect to libvirt")
	// What was left half way is ended.
	if err := h.run("web").SetPhase(places.PhaseStopping); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Delete(t.Context(), "web", h.content, false); err != nil || d.isAlive() {
		t.Errorf("delete of one that was left half way: %v, alive %t", err, d.isAlive())
	}
	h.save(s)
	if _, err := h.controllerPID(s); !errors.Is(err, ErrNotRunning) {
		t.Errorf("of one that is down: %v", err)
	}
	if _, err := h.Delete(t.Context(), "web", h.content, false); err != nil {
		t.Errorf("delete of one that is down: %v", err)
	}
	// The process of somebody else's domain is none of a sandbox.
	h.controllerFile(h.libvirt.start("web", "another"))
	h.save(s)
	_, err = h.controllerPID(s)
	says(t, err, "another domain of the name web")
}

// A unit that ends stops its container, unless only the monitor was lost, which the next start finds.
func TestEnd(t *testing.T) {
	losses := strings.Repeat(strconv.FormatInt(time.Now().Unix(), 10)+" ", 20)
	for _, c := range []struct {
		name        string
		environment map[string]string
		down        bool              // whether the container is
		over        bool              // whether nothing is left of it, either
		notes       map[string]string // of the monitor
		own         hostsystemd.OwnUnit
		noSystemd   error
		last        bool
		foreign     bool
		up          bool // afterwards
		calls       []string
	}{
		{name: "by hand"},
		{name: "what is down", down: true},
		{name: "the unit stops", environment: map[string]string{"SERVICE_RESULT": "success"},
			own: hostsystemd.OwnUnit{Name: "web@web.service", Stopping: true}},
		{name: "nothing is left", environment: map[string]string{"SERVICE_RESULT": "success"}, last: true, over: true,
			noSystemd: errors.New("nobody shall ask")},
		{name: "another unit runs it", environment: map[string]string{"SERVICE_RESULT": "exit-code"}, foreign: true,
			up: true},
		{name: "the monitor was killed, at first", up: true,
			environment: map[string]string{"SERVICE_RESULT": "signal", "EXIT_CODE": "killed"},
			own:         hostsystemd.OwnUnit{Name: "web@web.service"}},
		{name: "the monitor was killed", last: true, up: true,
			environment: map[string]string{"SERVICE_RESULT": "signal", "EXIT_CODE": "killed"},
			own:         hostsystemd.OwnUnit{Name: "web@web.service"},
			calls:       []string{"start again web@web.service, uncounted"}},
		{name: "the monitor was killed, and that was seen to", last: true, up: true,
			environment: map[string]string{"SERVICE_RESULT": "signal", "EXIT_CODE": "killed"},
			own:         hostsystemd.OwnUnit{Name: "web@web.service", Queued: true}},
		{name: "the monitor was killed once more", last: true, notes: map[string]string{"losses": losses},
			environment: map[string]string{"SERVICE_RESULT": "signal", "EXIT_CODE": "killed"},
			own:         hostsystemd.OwnUnit{Name: "web@web.service"}},
		{name: "the monitor was killed while a unit failed", last: true, notes: map[string]string{"failed": "web.service"},
			environment: map[string]string{"SERVICE_RESULT": "signal", "EXIT_CODE": "killed"},
			own:         hostsystemd.OwnUnit{Name: "web@web.service"}},
		{name: "the monitor was killed while it shut down", last: true, notes: map[string]string{"told": "0"},
			environment: map[string]string{"SERVICE_RESULT": "signal", "EXIT_CODE": "killed"},
			own:         hostsystemd.OwnUnit{Name: "web@web.service"}},
		{name: "the monitor lives", environment: map[string]string{
			"SERVICE_RESULT": "signal", "EXIT_CODE": "killed", "MAINPID": "7"}},
		{name: "it was killed with all of it", last: true, down: true,
			environment: map[string]string{"SERVICE_RESULT": "signal", "EXIT_CODE": "dumped"},
			own:         hostsystemd.OwnUnit{Name: "web@web.service"}, calls: []string{"start again web@web.service"}},
		{name: "the host goes down", environment: map[string]string{"SERVICE_RESULT": "success"},
			noSystemd: errors.New("no bus")},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			h.systemd.own, h.systemd.fails = c.own, c.noSystemd
			for _, key := range []string{"SERVICE_RESULT", "EXIT_CODE", "MAINPID", "INVOCATION_ID"} {
				t.Setenv(key, c.environment[key])
			}
			s := h.command("web")
			if d := h.up(s, places.PhaseReady); !c.down {
				h.controllerFile(d)
			} else {
				delete(h.libvirt.domains, "web")
			}
			if c.over {
				// As libvirt does.
				pidFile := h.places("web").LibvirtState(".pid")
				if err := errors.Join(h.Stop(t.Context(), "web"), os.Remove(pidFile)); err != nil {
					t.Fatal(err)
				}
				h.warnings = nil
			}
			for name, text := range c.notes {
				if err := os.WriteFile(filepath.Join(h.run("web").Path(), name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if c.foreign {
				if err := h.run("web").Update(func(s *places.State) { s.Owner = "another" }); err != nil {
					t.Fatal(err)
				}
			}
			if err := h.End(t.Context(), "web", c.last); err != nil {
				t.Fatal(err)
			}
			if _, up := h.libvirt.domains["web"]; up != c.up {
				t.Errorf("up afterwards: %t", up)
			}
			if c.over && len(h.warnings) > 0 {
				t.Errorf("of what is over it says %q", h.warnings)
			}
			if !slices.Equal(h.systemd.calls, c.calls) {
				t.Errorf("systemd was asked to %v", h.systemd.calls)
			}
		})
	}
}

// What is left of the run of a container that is down goes before the sandbox does: a domain that libvirt has kept,
// whatever was noted of its run, and what was noted.
func TestDeleteWhatLibvirtKept(t *testing.T) {
	for _, c := range []struct {
		phase places.Phase
		kept  bool
	}{{"", true}, {places.PhaseReady, true}, {places.PhaseReady, false}, {places.PhaseStarting, false}} {
		h := newHost(t)
		s := h.command("web")
		d := h.up(s, cmp.Or(c.phase, places.PhaseReady))
		d.ends()
		_ = d.process.Wait()
		if d.process = nil; !c.kept {
			delete(h.libvirt.domains, "web")
		}
		if c.phase == "" {
			if err := h.run("web").Remove(); err != nil {
				t.Fatal(err)
			}
		}
		if err := (containers{h.Manager}).EndUnfinished(t.Context(), s); err != nil || len(h.warnings) > 0 {
			t.Errorf("%+v: %v, %q", c, err, h.warnings)
		}
		h.isDown()
	}
}

// A unit that ends while another one begins to start the container leaves it alone.
func TestEndMeetsAnotherStart(t *testing.T) {
	h := newHost(t)
	t.Setenv("SERVICE_RESULT", "exit-code")
	t.Setenv("INVOCATION_ID", "own")
	h.up(h.command("web"), places.PhaseStarting)
	lock, err := h.locks().TryName("web")
	if err != nil || lock == nil {
		t.Fatal(lock, err)
	}
	ended := make(chan error)
	go func() { ended <- h.End(t.Context(), "web", false) }()
	select {
	case err := <-ended:
		t.Fatalf("it does not wait for the other: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if err := h.run("web").Update(func(s *places.State) { s.Owner = "another" }); err != nil {
		t.Fatal(err)
	}
	lock.Release()
	if err := <-ended; err != nil || h.libvirt.domains["web"] == nil {
		t.Errorf("the container is ended, %v", err)
	}
}

// The last word of a unit ends a container that systemd will not start again, and no config that cannot be read makes
// it fail.
func TestEndFails(t *testing.T) {
	h := newHost(t)
	t.Setenv("SERVICE_RESULT", "signal")
	t.Setenv("EXIT_CODE", "killed")
	h.systemd.own = hostsystemd.OwnUnit{Name: "web@web.service"}
	h.controllerFile(h.up(h.command("web"), places.PhaseReady))
	h.libvirt.noAnswer, h.systemd.fails = errors.New("refused"), errors.New("no systemd")
	says(t, h.End(t.Context(), "web", true), "refused")
	h.libvirt.noAnswer, h.systemd.fails = nil, nil
	if !h.IsUnwatched("web") {
		t.Error("it is said to be watched")
	}
	if err := os.WriteFile(h.Store.Path("odd"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SERVICE_RESULT", "")
	if err := h.End(t.Context(), "odd", true); err != nil {
		t.Errorf("at last: %v", err)
	}
	if err := h.End(t.Context(), "odd", false); err == nil {
		t.Error("a config that cannot be read is no matter")
	}
}
