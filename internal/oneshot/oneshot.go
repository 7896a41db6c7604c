// SPDX-License-Identifier: Apache-2.0

// Package oneshot starts containers for one command at libvirt's LXC driver. In: a description without a config, and
// who makes a plan of it. Out: a container that waits for its caller, which is gone when the command has ended or
// whoever started it has. Package sandbox calls it, through the helper, which knows the host.
package oneshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/alloc"
	"github.com/virt-sandbox/virt-sandbox/internal/boot"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/hostetc"
	"github.com/virt-sandbox/virt-sandbox/internal/hostnet"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/network"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/startup"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// Spec describes a one-shot.
type Spec struct {
	Sandbox *config.Sandbox  // with a Command; of Mode dynamic where a level is to be chosen
	Root    string           // directory that is the root, read-only; the host's own where it is empty
	Shell   bool             // whether root has a shell on the domain's second console
	Ignored []syscall.Signal // that the command ignores from its start
	Groups  []uint32         // of the command's user
	Note    func(format string, args ...any)
}

// Host is what a start needs of the host that other rooms know.
type Host interface {
	// HasConfig reports whether a container that stays has the name.
	HasConfig(name string) bool
	// PrepareInterfaces gives the interfaces MAC addresses and returns what they shall have.
	PrepareInterfaces(connection hostnet.Libvirt, s *config.Sandbox) ([]network.Interface, error)
	// AttachImages mounts the images of the sandbox, and claims them.
	AttachImages(ctx context.Context, s *config.Sandbox) error
	// Release removes what AttachImages and libvirt left of a sandbox that is down.
	Release(name string) error
}

// Starter starts one-shots. It may be used from several goroutines.
type Starter struct {
	Host    Host
	Startup *startup.Host
	Places  places.Root
	Locks   *lockfile.File
	Alloc   *alloc.Book
	Libvirt *virt.Client
	Console io.Writer // takes what containers say on their consoles while they start
	Warn    func(format string, args ...any)
}

// Start starts a container up to where init waits for the caller. Everything of it ends with this process, by libvirt's
// hand if need be; the files of one that was killed, the next start removes.
func (b *Starter) Start(ctx context.Context, spec Spec) (_ *Run, err error) {
	r := &Run{starter: b, sandbox: spec.Sandbox}
	s := r.sandbox
	if b.Host.HasConfig(s.Name) {
		return nil, fmt.Errorf("%s is the name of a container of virt-sandbox-service; choose another", s.Name)
	}
	var etc *hostetc.Look
	if spec.Root == "" {
		etc = b.Startup.Etc().Look()
	}
	b.sweep()
	own, err := b.lockName(s.Name)
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
	if r.libvirt, err = b.Libvirt.Connect(); err != nil {
		return nil, err
	}
	interfaces, err := r.allocate(ctx)
	if err != nil {
		return nil, err
	}
	dir := b.Places.Of(s.Name).OneShot()
	if err := dir.Make(guest.Program); err != nil {
		return nil, err
	}
	// The directory tells of them, should this process be killed.
	if err := b.Host.AttachImages(ctx, s); err != nil {
		return nil, err
	}
	plan, err := b.Startup.PlanOneShot(r.libvirt, s, startup.OneShot{
		OneShot: boot.OneShot{Root: spec.Root, Shell: spec.Shell, Ignored: spec.Ignored},
		Groups:  spec.Groups, Etc: etc, Note: spec.Note,
	}, dir)
	if err != nil {
		return nil, err
	}
	spec.Note("starting %s at %s: %s", s.Name, r.libvirt.URI(), summary(s))
	if err := r.create(ctx, plan, dir); err != nil {
		return nil, err
	}
	if len(interfaces) == 0 {
		return r, nil
	}
	return r, r.setNetwork(ctx, dir, interfaces, spec.Note)
}

// allocate gives the sandbox a level, addresses and ids that nobody else has.
func (r *Run) allocate(ctx context.Context) ([]network.Interface, error) {
	level, err := r.starter.Alloc.ChooseLevel(ctx, r.sandbox)
	if err != nil {
		return nil, err
	}
	r.locks = append(r.locks, level)
	interfaces, err := r.starter.Host.PrepareInterfaces(r.libvirt, r.sandbox)
	if err != nil {
		return nil, err
	}
	ids, err := r.starter.Alloc.ReserveIDs(ctx, r.sandbox)
	if err != nil {
		return nil, err
	}
	r.locks = append(r.locks, ids)
	return interfaces, nil
}

// create has libvirt make the container, and waits for init.
func (r *Run) create(ctx context.Context, plan *boot.Plan, dir places.RunDir) (err error) {
	listener, err := dir.ListenConsole(places.OwnerOf(r.sandbox), filepath.Base(guest.ConsoleSocket))
	if err != nil {
		return err
	}
	defer listener.Close()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if r.domain, err = r.libvirt.Create(r.sandbox.Name, plan.Domain, virt.AutoDestroy); err != nil {
		return err
	}
	removed := make(chan error, 1)
	go func() { removed <- r.starter.Startup.RootTree(r.sandbox.Name).Remove() }()
	defer func() { err = errors.Join(err, <-removed) }()
	controller, err := r.domain.ControllerPID()
	if err != nil {
		return err
	}
	if r.controller, err = proc.Open(controller); err != nil {
		return err
	}
	r.beginBounds()
	return r.awaitInit(ctx, listener)
}

// summary says for a person what keeps a container apart.
func summary(s *config.Sandbox) string {
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

// lockName locks a name; nil where another run has it. Those that sweep have it for a moment.
func (b *Starter) lockName(name string) (*lockfile.Lock, error) {
	for range 200 {
		if own, err := b.Locks.TryName(name); own != nil || err != nil {
			return own, err
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil, nil
}

// sweep removes what runs left that were killed. libvirt has ended their processes.
func (b *Starter) sweep() {
	entries, err := os.ReadDir(b.Places.OneShotBase())
	if err != nil {
		return
	}
	for _, e := range entries {
		own, err := b.Locks.TryName(e.Name())
		if err != nil || own == nil {
			continue
		}
		anywhere := func() error { return cgroup.Below(string(b.Places)).Remove(cgroup.OwnName(e.Name())) }
		if err := b.remove(e.Name(), anywhere); err != nil {
			b.Warn("cannot remove what %s left: %v", e.Name(), err)
		}
		own.Release()
	}
}

// remove removes what a container that is down has left.
func (b *Starter) remove(name string, cgroups func() error) error {
	if err := errors.Join(b.Startup.RootTree(name).Remove(), b.Host.Release(name), cgroups()); err != nil {
		return err
	}
	// Last: it is what names the rest.
	return b.Places.Of(name).OneShot().Remove()
}

// greetLimit is how long init may take to look for its caller.
const greetLimit = time.Minute

// Run is a one-shot that waits for its caller.
type Run struct {
	Connection *net.UnixConn // for console.Call

	starter    *Starter
	sandbox    *config.Sandbox
	libvirt    *virt.Connection
	domain     *virt.Domain
	controller *proc.Process
	init       *proc.Process
	groups     cgroup.Groups // that libvirt made, by hierarchy
	early      *bounds
	stopRead   func() // ends the reading of the console
	stopKeep   func() // ends the keeping of leases
	locks      lockfile.Locks
}
