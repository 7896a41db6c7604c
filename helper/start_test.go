// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/monitor"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// report has a container say on its notify socket that it is ready.
func (h *host) report(d *fakeDomain) {
	h.t.Helper()
	address := &net.UnixAddr{Name: h.run(d.name).Notify(), Net: "unixgram"}
	socket, err := net.DialUnix("unixgram", nil, address)
	if err != nil {
		h.t.Error(err)
		return
	}
	defer socket.Close()
	if _, err := socket.Write([]byte("READY=1\n")); err != nil {
		h.t.Error(err)
	}
}

func (h *host) start() (*Running, error) {
	h.t.Helper()
	running, err := h.Start(h.t.Context(), "web", func(string) {})
	if running != nil {
		h.t.Cleanup(func() {
			for _, f := range running.Files() {
				f.Close()
			}
		})
	}
	return running, err
}

// A command comes up when it says so; what is noted of it is what a stop, a monitor and the next start go by.
func TestStartOfCommand(t *testing.T) {
	h := newHost(t)
	s := h.command("web")
	h.libvirt.created = h.report
	running, err := h.start()
	if err != nil {
		t.Fatal(err)
	}
	if phase := h.run("web").Phase(); phase != places.PhaseReady || !h.hasContent(s) {
		t.Errorf("in phase %q, with content %t", phase, h.hasContent(s))
	}
	if proc.PIDOf(running.Controller) != h.libvirt.domains["web"].pid {
		t.Error("the monitor gets another process than libvirt's")
	}
	if recorded, err := h.run("web").Recorded(); err != nil || recorded.UUID != s.UUID || recorded.Created.IsZero() {
		t.Errorf("recorded %v, %v", recorded, err)
	}
	if _, err := os.Stat(filepath.Join(h.run("web").Guest(), filepath.Base(guest.PlanFile))); err != nil {
		t.Error(err)
	}
	level := h.recordedLevel()
	if got := running.Summary(); got != "Running /bin/true; level "+level+", SELinux is off; no network but loopback" {
		t.Errorf("summary %q", got)
	}
	if running.Monitor() != monitor.Program || running.ShutdownSignal() != guest.ShutdownSignal(s.Generic()) {
		t.Errorf("monitor %s", running.Monitor())
	}
	if watched, err := h.run("web").HasMonitor(); err != nil || !watched {
		t.Errorf("watched: %t, %v", watched, err)
	}
	if _, err := h.start(); !errors.Is(err, ErrAlreadyRunning) {
		t.Errorf("a second start: %v", err)
	}
}

// recordedLevel returns the level that the container was started with.
func (h *host) recordedLevel() string {
	h.t.Helper()
	s, err := h.run("web").Recorded()
	if err != nil || s.Security.Level == "" {
		h.t.Fatalf("recorded %+v, %v", s, err)
	}
	return s.Security.Level
}

// A service is up when its units are; its first process is noted as what may be entered.
func TestStartOfService(t *testing.T) {
	h := newHost(t)
	h.service()
	first := 0
	h.libvirt.created = func(d *fakeDomain) {
		first = h.hasFirst(d)
		h.report(d)
	}
	running, err := h.start()
	if err != nil {
		t.Fatal(err)
	}
	if a := h.run("web").State().Admission; a == nil || a.Init.PID != first || proc.PIDOf(running.Init) != first {
		t.Errorf("noted %+v, first process %d", a, first)
	}
	if got := running.Summary(); !strings.HasPrefix(got, "Running web.service is active; ") {
		t.Errorf("summary %q", got)
	}
}

// Nothing is left of a start that fails, wherever it does.
func TestFailedStarts(t *testing.T) {
	for _, c := range []struct {
		name    string
		service bool
		prepare func(h *host, s *config.Sandbox)
		created func(h *host, d *fakeDomain)
		want    string
	}{
		{name: "libvirt refuses", want: "start domain web: refused",
			prepare: func(h *host, _ *config.Sandbox) { h.libvirt.refuses = errors.New("start domain web: refused") }},
		{name: "it ends at once", want: "web ended while it started; its console says: no /bin/true",
			created: func(_ *host, d *fakeDomain) {
				_, _ = d.speaks.WriteString("no /bin/true\n")
				d.ends()
			}},
		{name: "it is never ready", want: "web was not ready within 1s ([limits] start-timeout)",
			prepare: func(h *host, s *config.Sandbox) {
				s.Limits.StartTimeout = time.Second
				h.save(s)
			}},
		{name: "its boot waits", service: true, want: "; inside it still waits for network.target",
			prepare: func(h *host, s *config.Sandbox) {
				s.Limits.StartTimeout, h.inner.jobs = time.Second, []string{"network.target"}
				h.save(s)
			},
			created: func(h *host, d *fakeDomain) { h.hasFirst(d) }},
		{name: "a unit fails", service: true, want: "web.service inside failed",
			prepare: func(h *host, _ *config.Sandbox) {
				h.inner.waits = &UnitError{Unit: "web.service", Reason: "failed"}
			},
			created: func(h *host, d *fakeDomain) {
				h.hasFirst(d)
				h.report(d)
			}},
		{name: "its content is gone", want: "the content of web at ",
			prepare: func(h *host, s *config.Sandbox) {
				s.Created = time.Unix(1000000000, 0).UTC()
				h.save(s)
			}},
		{name: "it is being deleted", want: "web is being deleted; run delete again",
			prepare: func(h *host, s *config.Sandbox) {
				s.State = config.StateDeleting
				h.save(s)
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			s := h.command("web")
			if c.service {
				s = h.service()
			}
			if c.prepare != nil {
				c.prepare(h, s)
			}
			h.libvirt.created = func(d *fakeDomain) {
				if c.created != nil {
					c.created(h, d)
				}
			}
			_, err := h.start()
			says(t, err, c.want)
			h.isDown()
		})
	}
}

// A libvirtd that goes while a start is cleaned up after does not save the container.
func TestFailedStartWithoutLibvirt(t *testing.T) {
	h := newHost(t)
	s := h.command("web")
	s.Limits.StartTimeout = time.Second
	h.save(s)
	var domain *fakeDomain
	h.libvirt.created = func(d *fakeDomain) {
		domain = d
		h.controllerFile(d)
		h.libvirt.gone = true
	}
	_, err := h.start()
	says(t, err, "was not ready within 1s")
	delete(h.libvirt.domains, "web")
	h.isDown()
	if err := domain.process.Wait(); err == nil {
		t.Error("the container's controller was not killed")
	}
}

// What a killed helper left is taken over when it is up, with what is wrong with it told; else it makes way.
func TestStartAfterKilledHelper(t *testing.T) {
	h := newHost(t)
	s := h.service()
	left := h.up(s, places.PhaseReady)
	first := h.hasFirst(left)
	h.inner.waits = errors.New("web.service inside is failed")
	running, err := h.start()
	if err != nil || len(h.libvirt.asked) > 0 || proc.PIDOf(running.Init) != first {
		t.Fatalf("got %v, %v; libvirt was asked to %v", running, err, h.libvirt.asked)
	}
	h.warned("web keeps running, but has unhealthy units: web.service inside is failed")
	// What failed while nobody listened is told to who listens now.
	if want := []string{"start virt-sandbox-failed@host.service"}; !slices.Equal(h.inner.calls, want) {
		t.Errorf("its systemd was asked to %v", h.inner.calls)
	}

	h = newHost(t)
	left = h.up(h.command("web"), places.PhaseStarting)
	h.libvirt.created = h.report
	if running, err = h.start(); err != nil || proc.PIDOf(running.Controller) == left.pid {
		t.Errorf("got %v, %v", running, err)
	}
}

// Where a killed helper's container cannot be ended, nothing else is started.
func TestStartBesideWhatStays(t *testing.T) {
	h := newHost(t)
	h.up(h.command("web"), places.PhaseStarting).stays = errors.New("destroy domain web: refused")
	_, err := h.start()
	says(t, err, "end what an interrupted start left of web: destroy domain web: refused")
	if len(h.libvirt.asked) > 0 {
		t.Errorf("libvirt was asked to %v", h.libvirt.asked)
	}
}

// Prepare makes content, and leaves that of a container alone that is up.
func TestPrepare(t *testing.T) {
	h := newHost(t)
	s := h.command("web")
	if err := h.run("web").Make(guest.Program); err != nil {
		t.Fatal(err)
	}
	if err := h.run("web").SetPhase(places.PhaseReady); err != nil {
		t.Fatal(err)
	}
	if err := h.Prepare(t.Context(), "web"); err != nil || h.hasContent(s) {
		t.Errorf("of one that is up: %v, content %t", err, h.hasContent(s))
	}
	if err := h.run("web").Remove(); err != nil {
		t.Fatal(err)
	}
	if err := h.Prepare(t.Context(), "web"); err != nil || !h.hasContent(s) {
		t.Errorf("of one that is down: %v, content %t", err, h.hasContent(s))
	}
	if err := h.Prepare(t.Context(), "absent"); !errors.Is(err, config.ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
}
