// SPDX-License-Identifier: Apache-2.0

// Package provision is how a sandbox comes into being and how it goes. In: what an administrator asks of create,
// clone, import, export and delete, or a config that somebody wrote. Out: level, ids, content, unit file and config
// of the sandbox, or an error with nothing left behind; and what interrupted verbs have left. A verb that was killed
// is cleaned up by the next one of the same name. Package helper builds a Provisioner and calls it; nothing here
// starts or stops.
package provision

import (
	"context"
	"errors"
	"sync"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/alloc"
	"github.com/virt-sandbox/virt-sandbox/internal/claims"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/hostnet"
	"github.com/virt-sandbox/virt-sandbox/internal/hostsystemd"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/sandboximage"
	"github.com/virt-sandbox/virt-sandbox/internal/unitstub"
)

// ErrRunning is returned for a container that is up.
var ErrRunning = errors.New("is running")

// Containers are the containers that run. What the Provisioner holds of them it gives back.
type Containers interface {
	// LockName waits until nobody else works on the sandbox, which is not frozen then.
	LockName(ctx context.Context, name string) (*lockfile.Lock, error)
	// LockNames is LockName for several, in an order in which no two commands wait for each other.
	LockNames(ctx context.Context, names ...string) (lockfile.Locks, error)
	// Hold keeps a container that is up from changing its content until release is called; without freeze it refuses
	// one.
	// Preconditions: the caller holds the lock on the sandbox's name. Errors: ErrRunning.
	Hold(ctx context.Context, s *config.Sandbox, freeze bool) (release func() error, err error)
	// EndUnfinished refuses a container that is up, and ends one that an interrupted start or stop left half way.
	// Preconditions: the caller holds the lock on the sandbox's name. Errors: ErrRunning.
	EndUnfinished(ctx context.Context, s *config.Sandbox) error
	// Sweep removes what a container that is down has left at run time.
	// Preconditions: the caller holds the lock on the sandbox's name.
	Sweep(name string) error
}

// Connection is an open connection to libvirt.
type Connection interface {
	hostnet.Libvirt
	// HasDomain reports whether there is a domain of the name, running or defined.
	HasDomain(name string) (bool, error)
	// SecurityModel returns what libvirt confines domains with: selinux, apparmor or "".
	SecurityModel() (string, error)
	Close()
}

// Systemd is the host's systemd, where one runs.
type Systemd interface {
	// Reload has it read unit files again.
	Reload(ctx context.Context) error
	// RunsAnother reports whether it has started something else under a unit's name.
	RunsAnother(ctx context.Context, unit hostsystemd.Unit) (bool, error)
	// Forget has it forget that a unit which is gone failed.
	Forget(ctx context.Context, unit string) error
}

// Options are the owners that a Provisioner stands on.
type Options struct {
	Configs    config.Store
	Host       content.Host
	Levels     *alloc.Book
	Claims     *claims.Book
	Images     *sandboximage.Images
	Stubs      unitstub.Files
	Network    *hostnet.Host
	Connect    func() (Connection, error) // to libvirt; the caller closes it
	Systemd    Systemd
	Containers Containers
	// CheckIDMap reports whether a user namespace can show directories and files of the host with ids of its own.
	CheckIDMap func(paths []string) error
	// Warn takes one line that a person should read though nothing failed; nil for nobody.
	Warn func(format string, args ...any)
	// Progress shows how far long work is; nil for silence.
	Progress *filetree.Progress
	// Noted is done once it was said what the host has in place of SELinux; nil for once for each Provisioner.
	Noted *sync.Once
}

// Provisioner makes, completes, copies and removes sandboxes. Its methods may be called from several goroutines. Each
// locks the name of its sandbox, unless its comment says that the caller does.
type Provisioner struct{ Options }

// New returns a Provisioner.
func New(o Options) *Provisioner {
	if o.Warn == nil {
		o.Warn = func(string, ...any) {}
	}
	if o.Noted == nil {
		o.Noted = new(sync.Once)
	}
	return &Provisioner{Options: o}
}

// places returns the places of a sandbox on this host.
func (p *Provisioner) places(name string) places.Sandbox { return places.Root(p.Host.Root).Of(name) }

// isUp reports whether a container runs, or was left by an interrupted start or stop.
func (p *Provisioner) isUp(name string) bool { return p.places(name).Run().Phase() != "" }
