// SPDX-License-Identifier: Apache-2.0

package oneshot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/console"
	"github.com/virt-sandbox/virt-sandbox/internal/consoletext"
	"github.com/virt-sandbox/virt-sandbox/internal/hostnet"
	"github.com/virt-sandbox/virt-sandbox/internal/network"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
	"golang.org/x/sys/unix"
)

// setNetwork gives the interfaces what they shall have, before init shows its resolv.conf, and keeps
// their leases as long as this process has the container.
func (r *Run) setNetwork(
	ctx context.Context, dir places.RunDir, interfaces []network.Interface, note func(format string, args ...any),
) error {
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

// awaitInit waits until init is there, and sets the bounds of the container. Init goes on when it is called.
func (r *Run) awaitInit(ctx context.Context, listener *net.UnixListener) error {
	ctx, cancel := context.WithTimeoutCause(
		ctx,
		greetLimit,
		fmt.Errorf("%s was not ready within %v", r.sandbox.Name, greetLimit),
	)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = listener.SetDeadline(time.Now()) })
	defer stop()
	var said *consoletext.Text
	if pty, err := r.domain.OpenConsole(); err == nil {
		reading, cancel := context.WithCancel(context.WithoutCancel(ctx))
		said = consoletext.Read(reading, pty, r.starter.Console, false)
		r.stopRead = func() {
			cancel()
			said.Wait()
		}
	}
	ended, err := proc.Ended(ctx, r.controller.File())
	if err != nil {
		return err
	}
	go func() {
		select {
		case <-ended:
			_ = listener.SetDeadline(time.Now())
		case <-ctx.Done():
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
		if said != nil {
			quoted = said.Quoted()
		}
		return fmt.Errorf("%s ended while it started%s", r.sandbox.Name, quoted)
	}
	return r.setBounds(connection)
}

// bounds is what limits the number of processes of a container.
type bounds struct {
	done   chan struct{}
	init   int // whose container it is
	groups cgroup.Groups
	err    error
}

// beginBounds begins to limit the container's processes while its first one gets ready: the kernel may take 10 ms to
// move that to another group (cgroups(7)).
func (r *Run) beginBounds() {
	r.early = &bounds{done: make(chan struct{})}
	go func() {
		defer close(r.early.done)
		pid, err := proc.Host.FindFirst(r.controller.PID())
		if err == nil {
			r.early.init = pid
			r.early.groups, err = r.limit(pid)
		}
		r.early.err = err
	}()
}

// limit limits the processes of the container whose first process has a number.
func (r *Run) limit(init int) (cgroup.Groups, error) {
	groups, err := cgroup.Below(string(r.starter.Places)).Of(init)
	if err != nil {
		return groups, fmt.Errorf("find the container's cgroups: %w", err)
	}
	return groups, groups.LimitPIDs(r.sandbox.Name, init, uint64(r.sandbox.Limits.PIDs))
}

// setBounds finds init by its connection, and limits the processes of the container.
func (r *Run) setBounds(connection *net.UnixConn) error {
	raw, err := connection.SyscallConn()
	if err != nil {
		return fmt.Errorf("find the container's first process: %w", err)
	}
	var peer *unix.Ucred
	controlErr := raw.Control(
		func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) },
	)
	if err := errors.Join(err, controlErr); err != nil {
		return fmt.Errorf("find the container's first process: %w", err)
	}
	if r.init, err = proc.Open(int(peer.Pid)); err != nil {
		return err
	}
	if err := proc.Host.SetLimits(int(peer.Pid)); err != nil {
		return err
	}
	<-r.early.done
	r.groups, err = r.early.groups, r.early.err
	if err != nil || r.early.init != int(peer.Pid) {
		r.groups, err = r.limit(int(peer.Pid))
	}
	return err
}

// Domain returns the name that libvirt knows the container by.
func (r *Run) Domain() string { return r.sandbox.Name }

// Stop ends the container and removes all that it had. Whoever is still in it is ended by force.
func (r *Run) Stop() error {
	var errs []error
	name := r.sandbox.Name
	if r.stopKeep != nil {
		r.stopKeep()
	}
	if r.early != nil {
		<-r.early.done
		if r.init == nil {
			r.groups = r.early.groups
		}
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
	}
	if r.libvirt != nil {
		for _, i := range r.sandbox.Interfaces {
			errs = append(errs, hostnet.RemoveDevice(i))
		}
		errs = append(errs, r.starter.remove(name, func() error { return r.groups.Remove(name) }))
		r.libvirt.Close()
	}
	r.locks.Release()
	return errors.Join(errs...)
}

// endLimit is how long the container may take to end by itself once it has nothing left to do.
const endLimit = 500 * time.Millisecond

// pollEvery is how often libvirt is asked whether it has forgotten the container, which takes it some 3 ms.
const pollEvery = 500 * time.Microsecond

// PrepareTeardown is to be called when the command has ended and init, which waits, may go. libvirt's controller has
// nothing left to do then: it is stopped, and killed later. By itself it would tell libvirt first, which would find it
// among the container's processes and not look again for 200 ms.
func (r *Run) PrepareTeardown() {
	_ = r.controller.Signal(unix.SIGSTOP)
	// Groups of version 1 have those too that are just ending. Where this fails, it takes the 200 ms.
	r.groups.MoveAbove(r.controller.PID())
}

func (r *Run) end() error {
	if r.init != nil {
		defer r.init.Close()
		if !r.init.Wait(endLimit) {
			_ = r.init.Signal(unix.SIGKILL)
		}
		if r.controller != nil {
			_ = r.controller.Signal(unix.SIGKILL)
		}
		defer r.removeMeanwhile()()
	}
	if r.controller != nil {
		defer r.controller.Close()
		for begun := time.Now(); time.Since(begun) < endLimit; time.Sleep(pollEvery) {
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

// removeMeanwhile removes what only init had a use for, while libvirt ends the rest; the function that it returns waits
// for that. What fails here fails again in Stop, which removes all.
func (r *Run) removeMeanwhile() (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = os.RemoveAll(r.starter.Places.Of(r.sandbox.Name).OneShot().Guest())
	}()
	return func() { <-done }
}
