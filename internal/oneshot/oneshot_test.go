// SPDX-License-Identifier: Apache-2.0

package oneshot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/alloc"
	"github.com/virt-sandbox/virt-sandbox/internal/claims"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/hostnet"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/network"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/startup"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// host is a temporary host whose libvirt cannot be reached.
type host struct {
	*Starter
	configs  []string // names of containers that stay
	released []string
	warnings []string
	fails    error // what releasing ends with
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := new(host)
	root := hosttest.Root(t, nil)
	warn := func(format string, args ...any) { h.warnings = append(h.warnings, fmt.Sprintf(format, args...)) }
	store, locks, machine := config.Store{Dir: t.TempDir()}, lockfile.New(root, warn), content.Host{Root: root}
	h.Starter = &Starter{
		Host: h, Places: places.Root(root), Locks: locks, Warn: warn, Libvirt: virt.New(virt.Options{URI: "elsewhere"}),
		Startup: &startup.Host{
			Places: places.Root(root), Content: machine, Warn: warn, Claims: claims.New(claims.Options{Root: root, Warn: warn}),
			Mount: func(func() error) error { return nil },
		},
		Alloc: &alloc.Book{
			Root: root, Locks: locks, Configs: store, Host: machine, Warn: warn,
			Domains: func(string) ([]alloc.Use, error) { return nil, nil },
		},
	}
	return h
}

func (h *host) HasConfig(name string) bool { return slices.Contains(h.configs, name) }
func (h *host) PrepareInterfaces(hostnet.Libvirt, *config.Sandbox) ([]network.Interface, error) {
	return nil, nil
}
func (h *host) AttachImages(context.Context, *config.Sandbox) error { return nil }
func (h *host) Release(name string) error {
	h.released = append(h.released, name)
	return h.fails
}

func (h *host) start(t *testing.T) error {
	t.Helper()
	run, err := h.Start(t.Context(), Spec{Sandbox: config.New("job"), Note: t.Logf})
	if run != nil {
		t.Error("it runs")
	}
	return err
}

func says(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// A one-shot has a name that nobody else has, and holds none once its start has failed.
func TestStartRefused(t *testing.T) {
	h := newHost(t)
	h.configs = []string{"job"}
	says(t, h.start(t), "job is the name of a container of virt-sandbox-service; choose another")
	h.configs = nil
	taken, err := h.Locks.TryName("job")
	if err != nil || taken == nil {
		t.Fatal(taken, err)
	}
	says(t, h.start(t), "job is the name of a sandbox that runs already; choose another")
	// As by another run that sweeps.
	time.AfterFunc(20*time.Millisecond, taken.Release)
	says(t, h.start(t), `connection URI "elsewhere" is not supported`)
	for range 2 {
		says(t, h.start(t), `connection URI "elsewhere" is not supported`)
	}
}

// The next start removes what killed ones left, but nothing of one that runs.
func TestSweep(t *testing.T) {
	h := newHost(t)
	for _, name := range []string{"killed", "runs"} {
		if err := h.Places.Of(name).OneShot().Make(guest.Program); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := h.Locks.TryName("runs")
	if err != nil || lock == nil {
		t.Fatal(lock, err)
	}
	defer lock.Release()
	h.fails = errors.New("still mounted")
	h.sweep()
	if len(h.warnings) != 1 || !strings.HasPrefix(h.warnings[0], "cannot remove what killed left: still mounted") {
		t.Errorf("warnings %q", h.warnings)
	}
	if _, err := os.Stat(h.Places.Of("killed").OneShot().Path()); err != nil {
		t.Errorf("what names the rest is gone: %v", err)
	}
	h.fails = nil
	h.sweep()
	if !slices.Equal(h.released, []string{"killed", "killed"}) {
		t.Errorf("released %v", h.released)
	}
	if _, err := os.Stat(h.Places.Of("killed").OneShot().Path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is left: %v", err)
	}
	if _, err := os.Stat(h.Places.Of("runs").OneShot().Path()); err != nil {
		t.Errorf("one that runs: %v", err)
	}
}

// A person reads what keeps a container apart.
func TestSummary(t *testing.T) {
	s := config.New("job")
	if got := summary(s); got != "private network" {
		t.Errorf("got %q", got)
	}
	s.Security.Level, s.Hardening.IDMap = "s0:c1,c2", config.IDMap{Base: 65536, Count: 65536}
	if got := summary(s); got != "private network, level s0:c1,c2, user ids from 65536" {
		t.Errorf("got %q", got)
	}
}

// What bounds a container is found by who has connected: its first process.
func TestSetBounds(t *testing.T) {
	file := t.TempDir() + "/socket"
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: file, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	first, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: file, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	connection, err := listener.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	r := &Run{starter: newHost(t).Starter, sandbox: config.New("job")}
	hosttest.Add(t, string(r.starter.Places), map[string]string{fmt.Sprintf("/proc/%d/cgroup", os.Getpid()): ""})
	if r.controller, err = proc.Open(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	defer r.controller.Close()
	r.beginBounds() // This process has no container.
	if err := r.setBounds(connection); err != nil {
		t.Fatal(err)
	}
	defer r.init.Close()
	if r.init.PID() != os.Getpid() || r.Domain() != "job" || !errors.Is(r.early.err, proc.ErrNoFirst) {
		t.Errorf("found process %d, and before %v", r.init.PID(), r.early.err)
	}
	// What was found before is not looked for again.
	if err := os.RemoveAll(string(r.starter.Places) + "/proc"); err != nil {
		t.Fatal(err)
	}
	r.early.init, r.early.err = os.Getpid(), nil
	if err := r.setBounds(connection); err != nil {
		t.Error(err)
	}
	r.init.Close()
	if r.early.init = 1; r.setBounds(connection) == nil {
		t.Error("what bounds another container is taken for this one's")
	}
	r.init.Close()
}

// A run that got no further than its process lets go of that.
func TestStopOfLittle(t *testing.T) {
	h := newHost(t)
	lock, err := h.Locks.TryName("job")
	if err != nil {
		t.Fatal(err)
	}
	r := &Run{starter: h.Starter, sandbox: config.New("job"), locks: lockfile.Locks{lock}}
	if r.controller, err = proc.Open(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	defer r.controller.Close()
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	again, err := h.Locks.TryName("job")
	if err != nil || again == nil {
		t.Errorf("its name is held: %v", err)
	}
	again.Release()
}
