package helper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/console"
	"github.com/virt-sandbox/virt-sandbox/internal/consoletext"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/hostnet"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/network"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// Throwaway is a container for one command, which no config tells of: it is gone when the command has ended, or whoever
// started it has.
type Throwaway struct {
	Sandbox *config.Sandbox // with a Command; of Mode dynamic where a level is to be chosen
	Root    string          // directory that is the root, read-only; the host's own where it is empty
	Shell   bool            // whether root has a shell on the domain's second console
	Groups  []uint32        // of the command's user
	Note    func(format string, args ...any)
}

// ThrowawayRun is a throw-away container that waits for its caller.
type ThrowawayRun struct {
	Connection *net.UnixConn // for console.Call

	manager    *Manager
	sandbox    *config.Sandbox
	libvirt    *virt.Connection
	domain     *virt.Domain
	controller *proc.Process
	init       *proc.Process
	groups     cgroup.Groups // cgroups that libvirt made, by hierarchy
	console    *consoletext.Text
	stopRead   context.CancelFunc
	stopKeep   func() // of the leases
	locks      lockfile.Locks
}

// greetLimit is how long the first program of a container may take to look for its caller.
const greetLimit = time.Minute

// StartThrowaway starts a container for one command up to where its first program waits for the caller. Everything of it
// ends with this process, by libvirt's hand if need be; the files that one left which was killed, the next one removes.
func (m *Manager) StartThrowaway(ctx context.Context, t Throwaway) (_ *ThrowawayRun, err error) {
	r := &ThrowawayRun{manager: m, sandbox: t.Sandbox}
	s := r.sandbox
	if _, err := os.Lstat(m.Store.Path(s.Name)); err == nil {
		return nil, fmt.Errorf("%s is the name of a container of virt-sandbox-service; choose another", s.Name)
	}
	m.sweepThrowaways()
	own, err := m.locks().TryName(s.Name)
	if err != nil {
		return nil, err
	}
	if own == nil {
		return nil, fmt.Errorf("%s is the name of a sandbox that runs already; choose another", s.Name)
	}
	r.locks = append(r.locks, own)
	defer func() {
		if err != nil {
			// Cleaning up must not depend on whether the caller still waits.
			err = errors.Join(err, r.Stop())
		}
	}()
	if r.libvirt, err = m.libvirt.Connect(); err != nil {
		return nil, err
	}
	level, err := m.alloc().ChooseLevel(ctx, s)
	if err != nil {
		return nil, err
	}
	r.locks = append(r.locks, level)
	interfaces, err := m.prepareOneShot(r.libvirt, s)
	if err != nil {
		return nil, err
	}
	ids, err := m.alloc().ReserveIDs(ctx, s)
	if err != nil {
		return nil, err
	}
	r.locks = append(r.locks, ids)
	dir := m.places(s.Name).OneShot()
	if err = dir.Make(guest.Program); err != nil {
		return nil, err
	}
	// The directory tells of them, should this process be killed.
	if err := m.images().AttachAll(ctx, s); err != nil {
		return nil, err
	}
	plan, err := m.planThrowaway(r.libvirt, t, dir)
	if err != nil {
		return nil, err
	}
	t.Note("starting %s at %s: %s", s.Name, m.URI, describeOneShot(s))
	listener, err := dir.ListenConsole(socketOwner(s), filepath.Base(guest.ConsoleSocket))
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if r.domain, err = r.libvirt.Create(s.Name, plan.Domain, virt.AutoDestroy); err != nil {
		return nil, err
	}
	if err := m.rootTree(s.Name).Remove(); err != nil {
		return nil, err
	}
	if r.controller, err = controllerOf(r.domain); err != nil {
		return nil, err
	}
	if err := r.await(ctx, listener); err != nil {
		return nil, err
	}
	if len(interfaces) == 0 {
		return r, nil
	}
	return r, r.setNetwork(ctx, dir, interfaces, t.Note)
}

// setNetwork gives the interfaces what they shall have, before the container's first program shows its resolv.conf, and
// keeps their leases as long as this process has the container.
func (r *ThrowawayRun) setNetwork(ctx context.Context, dir places.RunDir, interfaces []network.Interface, note func(format string, args ...any)) error {
	runtime, err := os.Open(dir.Path())
	if err != nil {
		return fmt.Errorf("open runtime directory: %w", err)
	}
	inside, err := os.OpenRoot(dir.Path())
	if err == nil {
		defer inside.Close()
		err = hostnet.Start(ctx, r.sandbox, inside, r.init.File(), interfaces, config.NetworkTimeout)
	}
	if err != nil {
		runtime.Close()
		return err
	}
	keeping, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer runtime.Close()
		if err := network.Keep(keeping, runtime, r.init.File(), func(text string) { note("%s", text) }); err != nil {
			note("%v", err)
		}
	}()
	r.stopKeep = func() {
		cancel()
		<-done
	}
	return nil
}

// describeOneShot says for a person what a container is apart by.
func describeOneShot(s *config.Sandbox) string {
	text := string(s.Network) + " network"
	for _, i := range s.Interfaces {
		text += ", interface " + i.String()
	}
	if s.Security.Level != "" {
		text += ", level " + s.Security.Level
	}
	if s.Hardening.IDMap.Mapped() {
		text += ", user ids from " + strconv.FormatUint(uint64(s.Hardening.IDMap.Base), 10)
	}
	return text
}

// await waits until the first program of the container is there, and sets the bounds of the latter, past which it only gets
// when it is called.
func (r *ThrowawayRun) await(ctx context.Context, listener *net.UnixListener) error {
	ctx, cancel := context.WithTimeoutCause(ctx, greetLimit, fmt.Errorf("%s was not ready within %v", r.sandbox.Name, greetLimit))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = listener.SetDeadline(time.Now()) })
	defer stop()
	if pty, err := openConsole(r.domain); err == nil {
		var reading context.Context
		reading, r.stopRead = context.WithCancel(context.WithoutCancel(ctx))
		r.console = consoletext.Read(reading, pty, r.manager.Console)
	}
	go func() {
		for ctx.Err() == nil {
			if r.controller.Wait(100 * time.Millisecond) {
				_ = listener.SetDeadline(time.Now())
				return
			}
		}
	}()
	connection, err := listener.AcceptUnix()
	if err == nil {
		r.Connection = connection
		_ = connection.SetDeadline(time.Now().Add(greetLimit))
		err = console.Greet(connection)
		_ = connection.SetDeadline(time.Time{})
	}
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		quoted := ""
		if r.console != nil {
			quoted = r.console.Quoted()
		}
		return fmt.Errorf("%s ended while it started%s", r.sandbox.Name, quoted)
	}
	return r.setBounds(connection)
}

func (r *ThrowawayRun) setBounds(connection *net.UnixConn) error {
	raw, err := connection.SyscallConn()
	if err != nil {
		return fmt.Errorf("find the container's first process: %w", err)
	}
	var peer *unix.Ucred
	controlErr := raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err := errors.Join(err, controlErr); err != nil {
		return fmt.Errorf("find the container's first process: %w", err)
	}
	if r.init, err = proc.Open(int(peer.Pid)); err != nil {
		return err
	}
	if r.groups, err = cgroup.Host().Of(int(peer.Pid)); err != nil {
		return fmt.Errorf("find the container's cgroups: %w", err)
	}
	return r.groups.LimitPIDs(r.sandbox.Name, int(peer.Pid), uint64(r.sandbox.Limits.PIDs))
}

// Domain gives the name that libvirt knows the container by.
func (r *ThrowawayRun) Domain() string { return r.sandbox.Name }

// Stop ends the container and removes all that it had. Whoever is still in it is ended by force.
func (r *ThrowawayRun) Stop() error {
	var errs []error
	name := r.sandbox.Name
	if r.stopKeep != nil {
		r.stopKeep()
	}
	if r.Connection != nil {
		r.Connection.Close() // Which its first program takes for the end.
	}
	if r.domain != nil {
		errs = append(errs, r.end())
		r.domain.Free()
	}
	if r.stopRead != nil {
		r.stopRead()
		r.console.Wait()
	}
	if r.libvirt != nil {
		for _, i := range r.sandbox.Interfaces {
			errs = append(errs, hostnet.RemoveDevice(i))
		}
		errs = append(errs, r.manager.removeThrowaway(name, func() error { return r.groups.Remove(name) }))
		r.libvirt.Close()
	}
	r.locks.Release()
	return errors.Join(errs...)
}

// endLimit is how long the container may take to end by itself once it has nothing left to do.
const endLimit = 500 * time.Millisecond

// Ending is to be called when the command has ended and the container's first process, which waits, may go. libvirt's
// controller has nothing left to do then: it is held, and ends without a word in end. By itself it would tell libvirt first,
// which would find it among the container's processes and not look again for 200 ms.
func (r *ThrowawayRun) Ending() {
	_ = r.controller.Signal(unix.SIGSTOP)
	// Groups of version 1 have those too that are just ending. Where this fails, it takes the 200 ms.
	r.groups.MoveAbove(r.controller.PID())
}

func (r *ThrowawayRun) end() error {
	if r.init != nil {
		defer r.init.Close()
		if !r.init.Wait(endLimit) {
			_ = r.init.Signal(unix.SIGKILL)
		}
		if r.controller != nil {
			_ = r.controller.Signal(unix.SIGKILL)
		}
	}
	if r.controller != nil {
		defer r.controller.Close()
		for begun := time.Now(); time.Since(begun) < endLimit; time.Sleep(time.Millisecond) {
			active, err := r.domain.IsActive()
			if errors.Is(err, virt.ErrNoDomain) || (err == nil && !active) {
				return nil
			}
		}
	}
	if err := r.domain.Destroy(); err != nil && !errors.Is(err, virt.ErrNoDomain) {
		return err
	}
	return r.domain.AwaitGone(r.sandbox.Name)
}

// sweepThrowaways removes what runs left that were killed: their processes libvirt has ended.
func (m *Manager) sweepThrowaways() {
	names, err := os.ReadDir(places.Root(m.Host.Root).OneShotBase())
	if err != nil {
		return
	}
	for _, e := range names {
		own, err := m.locks().TryName(e.Name())
		if err != nil || own == nil {
			continue
		}
		anywhere := func() error { return cgroup.Host().Remove(cgroup.OwnName(e.Name())) }
		if err := m.removeThrowaway(e.Name(), anywhere); err != nil {
			m.Warn("cannot remove what %s left: %v", e.Name(), err)
		}
		own.Release()
	}
}

// removeThrowaway removes what a throw-away container that is down has left.
func (m *Manager) removeThrowaway(name string, cgroups func() error) error {
	if err := errors.Join(m.rootTree(name).Remove(), m.claims().Detach(name), m.stateFiles().RemoveMountPoints(name), m.stateFiles().RemoveLog(name), cgroups()); err != nil {
		return err
	}
	// Last: it is what names the rest.
	return m.places(name).OneShot().Remove()
}
