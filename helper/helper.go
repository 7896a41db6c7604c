// SPDX-License-Identifier: Apache-2.0

// Package helper is what units and the service tool call: create, start, stop and delete of containers on libvirt's LXC
// driver. In: names, and configs from the store; out: a container in the state asked for, or an error with nothing half
// done left behind. It is the Go API for containers that stay, as package sandbox, which stands on it, is for one
// command.
package helper

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/debdeps"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
	"github.com/virt-sandbox/virt-sandbox/rpmdeps"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/hostsystemd"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
	"github.com/virt-sandbox/virt-sandbox/internal/provision"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// DefaultURI is where containers run.
const DefaultURI = "lxc:///"

// RuntimeBase holds what lives only as long as a container runs.
const RuntimeBase = "/run/virt-sandbox"

// Options are what a Manager is built from. The zero value is that of this host, without a word to anybody.
type Options struct {
	// Root is the directory below which the host's files lie; empty for /. Tests give a temporary one.
	Root string
	// Store has the configs; the zero value is config.OpenStore's.
	Store config.Store
	// Packages are the package databases; nil for those of this machine.
	Packages []pkgdb.Database
	// URI is where containers run; empty for DefaultURI.
	URI string
	// ConnectTimeout is how long libvirt may take to answer an attempt to connect; 0 means a minute.
	ConnectTimeout time.Duration
	// FilesAlone has List, Details and Logs go by files and the host's journal, for a caller who is not root: libvirt and
	// containers are not asked.
	FilesAlone bool
	// Warn takes one line that a person should read though nothing failed; nil for nobody.
	Warn func(format string, args ...any)
	// Console takes what containers say on their consoles while they start; nil for nobody.
	Console io.Writer
	// Progress shows how far long work is; nil for silence.
	Progress io.Writer
}

// Manager carries out the verbs. Its methods may be called from several goroutines, unless they say otherwise: each
// locks the name of its sandbox, also against other processes.
type Manager struct {
	Store config.Store
	Host  content.Host
	URI   string

	Warn     func(format string, args ...any)
	Console  io.Writer
	Progress *filetree.Progress

	client  *virt.Client
	libvirt libvirt
	connect func() (provision.Connection, error)
	systemd hostSystemd
	inside  func(context.Context, *config.Sandbox) (innerSystemd, error) // of a container that is up
	mount   func(do func() error) error                                  // calls do, which mounts
	byFiles bool                                                         // Options.FilesAlone
	noted   sync.Once                                                    // what the host has in place of SELinux
}

// New returns a Manager for this host.
func New(o Options) *Manager {
	m := &Manager{
		Store: o.Store, Host: content.Host{Root: o.Root, Packages: o.Packages}, URI: o.URI,
		Warn: o.Warn, Console: o.Console, byFiles: o.FilesAlone,
	}
	if m.Store == (config.Store{}) {
		m.Store = config.OpenStore()
	}
	if o.Packages == nil {
		m.Host.Packages = Packages()
	}
	if m.URI == "" {
		m.URI = DefaultURI
	}
	if m.Warn == nil {
		m.Warn = func(string, ...any) {}
	}
	if m.Console == nil {
		m.Console = io.Discard
	}
	m.client = virt.New(virt.Options{URI: m.URI, ConnectTimeout: o.ConnectTimeout})
	m.libvirt = client{m.client}
	m.connect = func() (provision.Connection, error) { return m.client.Connect() }
	m.systemd, m.inside = hostsystemd.New(m.reloadOnce), m.dialInside
	m.mount = func(do func() error) error { return do() }
	m.SetProgress(o.Progress)
	return m
}

// SetProgress has long work show how far it is; nil has it say nothing.
// Preconditions: no other method runs.
func (m *Manager) SetProgress(out io.Writer) {
	m.Progress = nil
	if out != nil {
		m.Progress = &filetree.Progress{Out: out}
	}
}

// RequireRoot tells at once what would otherwise fail half way.
func RequireRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("root is needed; run it with sudo")
	}
	return nil
}

// What an administrator asks of the verbs that make sandboxes.
type (
	CreateOptions = describe.Options
	ImageOptions  = describe.ImageOptions
	CloneOptions  = describe.CloneOptions
	ImportOptions = describe.ImportOptions
)

// OptionError is an option whose value cannot be used, or that does not go with others: a mistake in the command line.
type OptionError = describe.OptionError

// Packages returns the package databases of this machine, RPM before dpkg. Each is opened when it is first asked, and
// asked a question only once, since many sandboxes of one service ask the same.
func Packages() []pkgdb.Database {
	return []pkgdb.Database{
		pkgdb.NewCache(pkgdb.NewLazy(rpmdeps.NewSuffix, func() (pkgdb.Database, error) {
			db, err := rpmdeps.Open(rpmdeps.Dirs()...)
			if errors.Is(err, rpmdeps.ErrNoDatabase) {
				return pkgdb.Empty{}, nil
			}
			return db, err
		})),
		pkgdb.NewCache(pkgdb.NewLazy(debdeps.NewSuffix, func() (pkgdb.Database, error) {
			db, err := debdeps.Open(debdeps.DefaultDir, "/")
			if errors.Is(err, debdeps.ErrNoDatabase) {
				return pkgdb.Empty{}, nil
			}
			return db, err
		})),
	}
}
