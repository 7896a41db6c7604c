// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/apparmor"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/hostnet"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/monitor"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
	"github.com/virt-sandbox/virt-sandbox/internal/startup"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
	"golang.org/x/sys/unix"
)

// Running is a container that is up, with what its monitor must hold.
type Running struct {
	Sandbox    *config.Sandbox
	Controller *os.File // pidfd of the libvirt_lxc process; readable when the container has ended
	Console    *os.File // the host's end of the container's console
	Notify     *os.File // socket that the container reports to
	Lock       *os.File // held as long as a monitor lives
	Init       *os.File // pidfd of the container's first process, once it is ready
	Runtime    *os.File // the container's runtime directory

	begun  time.Time // when it was first watched
	host   *startup.Host
	states []string // of its units when they were up
	files  virt.StateFiles
}

// Files lists the descriptors in the order in which a monitor takes them.
func (r *Running) Files() []*os.File {
	return []*os.File{r.Controller, r.Console, r.Notify, r.Lock, r.Init, r.Runtime}
}

// Monitor is the program that watches it from now on.
func (r *Running) Monitor() string {
	if slices.ContainsFunc(r.Sandbox.Interfaces, func(i config.Interface) bool { return i.DHCP }) {
		return monitor.DHCPProgram
	}
	return monitor.Program
}

// ShutdownSignal is what asks the container's first process for an orderly end.
func (r *Running) ShutdownSignal() unix.Signal { return guest.ShutdownSignal(r.Sandbox.Generic()) }

// firstProcess returns the number of the container's first process. Errors: proc.ErrNoFirst.
func (r *Running) firstProcess() (int, error) { return r.files.FirstProcess(proc.PIDOf(r.Controller)) }

func (r *Running) openInit() error {
	init, err := r.files.OpenFirst(proc.PIDOf(r.Controller))
	if err == nil {
		r.Init = init.File()
		return nil
	}
	if !r.Sandbox.Generic() {
		return err
	}
	// A command can have come to its end; then there is nobody to ask for one.
	if r.Init, err = os.Open(os.DevNull); err != nil {
		return fmt.Errorf("open process of the command: %w", err)
	}
	return nil
}

// failedStartLimit is how long a container whose start failed may take for an orderly end.
const failedStartLimit = time.Second

// ErrAlreadyRunning is returned by Start for a container that is up and watched by a monitor.
var ErrAlreadyRunning = errors.New("is already running")

// Start prepares and starts a container and returns when all its units are up. One that a killed helper left is taken
// over when it is up, and ended and started anew when it is not. On failure nothing is left running.
// Errors: ErrAlreadyRunning, *UnitError.
func (m *Manager) Start(ctx context.Context, name string, status func(string)) (*Running, error) {
	lock, err := m.lockName(ctx, name)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	started, err := m.asStarted(name)
	if err != nil {
		return nil, err
	}
	connection, err := m.libvirt.Connect()
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	old, err := connection.OwnDomain(started)
	if err != nil {
		return nil, err
	}
	if old != nil {
		defer old.Free()
		running, err := m.takeOver(ctx, started, old)
		if running != nil || err != nil {
			return running, err
		}
		if err := m.endLeftover(ctx, connection, started); err != nil {
			return nil, fmt.Errorf("end what an interrupted start left of %s: %w", name, err)
		}
	}
	// Only now: a container that is up is taken over whatever has become of its config.
	s, err := m.Store.Load(name)
	if err != nil {
		return nil, err
	}
	running, err := m.startFresh(ctx, connection, s, status)
	if err != nil {
		m.provisioner().TellLeft(ctx, s, err)
		// Cleaning up must not depend on whether the caller still waits.
		return nil, errors.Join(err, m.endFailedStart(context.WithoutCancel(ctx), connection, s))
	}
	return running, nil
}

// endFailedStart leaves nothing running of a start that failed, whatever becomes of libvirtd.
func (m *Manager) endFailedStart(ctx context.Context, connection libvirtConnection, s *config.Sandbox) error {
	err := m.libvirt.WithReconnect(ctx, connection, func(connection libvirtConnection) error {
		return m.end(ctx, connection, s, failedStartLimit)
	})
	if virt.IsAway(err) {
		if err = m.stopWithoutLibvirt(ctx, s, failedStartLimit); errors.Is(err, ErrNotRunning) {
			return nil
		}
	}
	return err
}

func (m *Manager) startFresh(
	ctx context.Context,
	connection libvirtConnection,
	s *config.Sandbox,
	status func(string),
) (*Running, error) {
	status("Preparing content")
	if err := m.provisioner().Prepare(ctx, s); err != nil {
		return nil, err
	}
	level, err := m.labelForStart(ctx, s)
	if err != nil {
		return nil, err
	}
	defer level.Release()
	m.startup().WarnOf(s)
	interfaces, err := m.hostnet().Prepare(connection, s)
	if err != nil {
		return nil, err
	}
	dir := m.run(s.Name)
	if err := dir.Make(guest.Program); err != nil {
		return nil, err
	}
	if err := dir.SetPhase(places.PhaseStarting); err != nil {
		return nil, err
	}
	if err := errors.Join(dir.Record(s), dir.Own()); err != nil {
		return nil, err
	}
	plan, err := m.startup().PlanStart(connection, s, dir)
	if err != nil {
		return nil, err
	}
	socket, err := dir.ListenNotify(places.OwnerOf(s))
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	status("Starting container")
	created, err := connection.Create(s.Name, plan.Domain, 0)
	if err != nil {
		return nil, err
	}
	defer created.Free()
	running, err := m.watch(s, created, socket)
	if err != nil {
		return nil, err
	}
	err = m.startup().RootTree(s.Name).Remove()
	if err == nil {
		err = m.setBounds(running, plan.Guest)
	}
	if err == nil {
		err = m.setNetwork(ctx, running, interfaces, status)
	}
	if err == nil {
		err = errors.Join(m.awaitReady(ctx, running, socket, status), running.openInit())
	}
	if err != nil {
		for _, f := range running.Files() {
			f.Close()
		}
		return nil, err
	}
	return running, dir.SetPhase(places.PhaseReady)
}

// setBounds bounds a container whose init waits. One that has ended already is for awaitReady to report.
func (m *Manager) setBounds(r *Running, plan *guest.Plan) error {
	init, err := r.firstProcess()
	if errors.Is(err, proc.ErrNoFirst) {
		return nil
	}
	if err != nil {
		return err
	}
	return m.startup().SetBounds(r.Sandbox, init, plan)
}

// watch opens what tells of a running container and its console.
func (m *Manager) watch(s *config.Sandbox, running libvirtDomain, socket *net.UnixConn) (*Running, error) {
	controller, err := controllerOf(running)
	if err != nil {
		return nil, err
	}
	console, err := running.OpenConsole()
	if err != nil {
		controller.Close()
		return nil, err
	}
	notify, err := socket.File()
	if err != nil {
		controller.Close()
		console.Close()
		return nil, fmt.Errorf("hand over notify socket: %w", err)
	}
	runtime, err := os.Open(m.run(s.Name).Path())
	var lock *os.File
	if err == nil {
		lock, err = m.run(s.Name).LockMonitor()
	}
	if err == nil && lock == nil {
		err = fmt.Errorf("%s %w", s.Name, ErrAlreadyRunning)
	}
	if err != nil {
		controller.Close()
		console.Close()
		notify.Close()
		runtime.Close()
		return nil, err
	}
	return &Running{
		Sandbox:    s,
		Controller: controller.File(),
		Console:    console,
		Notify:     notify,
		Lock:       lock,
		Runtime:    runtime,
		begun:      time.Now(),
		host:       m.startup(),
		files:      m.stateFiles(),
	}, nil
}

// takeOver adopts a container that is up though nobody watches it; nil, nil for one that is not up.
func (m *Manager) takeOver(ctx context.Context, s *config.Sandbox, old libvirtDomain) (*Running, error) {
	dir := m.run(s.Name)
	phase, err := dir.KnownPhase()
	if err != nil || phase != places.PhaseReady || !old.IsUp() {
		return nil, err
	}
	watched, err := places.MonitorStays(dir)
	if err != nil {
		return nil, err
	}
	if watched {
		return nil, fmt.Errorf("%s %w", s.Name, ErrAlreadyRunning)
	}
	var states []string
	if !s.Generic() {
		if states, err = m.checkUnits(ctx, s); err != nil {
			// It has been up, and may have much in hand: what is not well with it is its own affair, as it was before.
			m.Warn("%s keeps running, but has unhealthy units: %v", s.Name, err)
			states = []string{err.Error()}
		}
	}
	socket, err := dir.ListenNotify(places.OwnerOf(s))
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	running, err := m.watch(s, old, socket)
	if err != nil {
		return nil, err
	}
	running.states = states
	if !s.Generic() {
		// What has failed while nobody listened ends it now, as it would have then.
		if err := m.tellFailures(ctx, s); err != nil {
			m.Warn("%s keeps running, but cannot be asked what has failed: %v", s.Name, err)
		}
	}
	return running, errors.Join(running.openInit(), dir.Own())
}

// Summary is a line for systemctl status: the label, the network, and the states of the units when they were up.
func (r *Running) Summary() string {
	s := r.Sandbox
	what := strings.Join(r.states, ", ")
	if s.Generic() {
		what = s.Command[0]
	}
	where := "SELinux is off"
	if s.Security.Level != "" {
		where = "level " + s.Security.Level + ", " + where
	}
	if init, err := r.firstProcess(); err == nil {
		if label := secontext.OfProcess(init); label != "" {
			where = label
		} else if profile := apparmor.Root("").ProfileOf(init); profile != "" {
			where = "AppArmor profile " + profile
		}
	}
	return fmt.Sprintf("Running %s; %s; %s", what, where, hostnet.Describe(s, r.Init))
}

// Prepare makes or completes the content of a sandbox. One that runs has all that it needs.
func (m *Manager) Prepare(ctx context.Context, name string) error {
	lock, err := m.lockName(ctx, name)
	if err != nil {
		return err
	}
	defer lock.Release()
	if m.run(name).Phase() == places.PhaseReady {
		return nil
	}
	s, err := m.Store.Load(name)
	if err != nil {
		return err
	}
	if err := m.provisioner().Prepare(ctx, s); err != nil {
		return errors.Join(err, m.claims().Detach(name))
	}
	return nil
}

// labelForStart gives a sandbox of mode dynamic the level of this start, and its images that label.
func (m *Manager) labelForStart(ctx context.Context, s *config.Sandbox) (*lockfile.Lock, error) {
	if s.Security.Mode != config.SecurityDynamic {
		return new(lockfile.Lock), nil
	}
	level, err := m.alloc().ChooseLevel(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := m.images().AttachAll(ctx, s); err != nil {
		level.Release()
		return nil, err
	}
	return level, nil
}
