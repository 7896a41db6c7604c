// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/provision"
	"github.com/virt-sandbox/virt-sandbox/internal/roottree"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// ErrRunning is returned by Delete for a container that is up.
var ErrRunning = provision.ErrRunning

// ErrBeyond is returned by Import for an archive whose config asks for what reaches beyond the sandbox.
var ErrBeyond = provision.ErrBeyond

// ExportOptions are what an administrator asks of export.
type ExportOptions = provision.ExportOptions

// provisioner returns what makes and removes sandboxes on this host.
func (m *Manager) provisioner() *provision.Provisioner {
	return provision.New(provision.Options{
		Configs: m.Store, Host: m.Host, Levels: m.alloc(), Claims: m.claims(), Images: m.images(), Stubs: m.stubs(),
		Network: m.hostnet(), Systemd: m.systemd, Containers: containers{m}, Warn: m.Warn, Progress: m.Progress,
		Noted:   &m.noted,
		Connect: m.connect, CheckIDMap: roottree.CheckIDMap,
	})
}

// Create makes content and config of a new sandbox. When it fails, or is told to stop, nothing stays behind; when it
// is killed, the next create or delete of the name removes what it left.
func (m *Manager) Create(ctx context.Context, options CreateOptions) (*config.Sandbox, error) {
	s, err := m.provisioner().Create(ctx, options)
	return s, m.rather(err, func() error { return m.provisioner().FindUnits(options) })
}

// rather returns what look finds out in place of the error that libvirt does not answer: a request that is wrong anyway
// is not worth a libvirtd.
func (m *Manager) rather(err error, look func() error) error {
	if !virt.IsAway(err) {
		return err
	}
	return cmp.Or(look(), err)
}

// Clone makes a sandbox that is like another one, with a copy of its content, and an identity and level of its own.
// The other is not changed. When it fails, nothing stays behind; when it is killed, the next clone, create or delete
// of the name removes what it left, and the source runs on. Errors: config.ErrNotFound, ErrRunning.
func (m *Manager) Clone(ctx context.Context, o CloneOptions) (*config.Sandbox, error) {
	return m.provisioner().Clone(ctx, o)
}

// Export writes a sandbox, config and content, to an archive that Import reads. Errors: config.ErrNotFound,
// ErrRunning.
func (m *Manager) Export(ctx context.Context, o ExportOptions, out io.Writer) error {
	return m.provisioner().Export(ctx, o, out)
}

// Import makes the sandbox that an archive has. Where it keeps its name, and no other sandbox here is the same, it
// stays the one that it was; else it gets an identity of its own, as a clone. When it fails, nothing stays behind;
// when it is killed, the next import, create or delete of the name removes what it left. Errors: ErrBeyond.
func (m *Manager) Import(ctx context.Context, o ImportOptions, in io.Reader) (*config.Sandbox, error) {
	return m.provisioner().Import(ctx, o, in)
}

// Delete removes a container that is down with all that belongs to it, or what an interrupted create left. It can be
// killed at any point and run again. base is where content lies whose config is gone. With keepJournal the
// container's journal stays, in the directory of the host's that it returns. Errors: config.ErrNotFound, ErrRunning.
func (m *Manager) Delete(ctx context.Context, name, base string, keepJournal bool) (journal string, err error) {
	p := m.provisioner()
	journal, err = p.Delete(ctx, name, base, keepJournal)
	return journal, m.rather(err, func() error {
		_, err := m.Store.Read(name)
		if names, listErr := p.CheckNames(); base != "" || listErr != nil || slices.Contains(names, name) ||
			!errors.Is(err, config.ErrNotFound) {
			return nil
		}
		return err
	})
}

// CheckNames lists what Check has something to say of: the sandboxes that have a config, usable or not, and those of
// which there are but leftovers.
func (m *Manager) CheckNames() ([]string, error) { return m.provisioner().CheckNames() }

// containers are the containers that run, for the verbs that make and remove sandboxes.
type containers struct{ *Manager }

// LockName implements provision.Containers.
func (c containers) LockName(ctx context.Context, name string) (*lockfile.Lock, error) {
	return c.lockName(ctx, name)
}

// LockNames implements provision.Containers.
func (c containers) LockNames(ctx context.Context, names ...string) (lockfile.Locks, error) {
	return c.lockNames(ctx, names...)
}

// Hold implements provision.Containers.
func (c containers) Hold(ctx context.Context, s *config.Sandbox, freeze bool) (release func() error, err error) {
	return c.hold(ctx, s, freeze)
}

// Sweep implements provision.Containers.
func (c containers) Sweep(name string) error { return c.sweep(name) }

// EndUnfinished refuses a container that is up, and ends one that was left half way, or that libvirt has kept.
func (c containers) EndUnfinished(ctx context.Context, s *config.Sandbox) error {
	m := c.Manager
	started, err := m.asStarted(s.Name)
	if err != nil {
		return err
	}
	phase := m.run(s.Name).Phase()
	var running libvirtDomain
	connection, err := m.libvirt.Connect()
	if err == nil {
		defer connection.Close()
		running, err = connection.OwnDomain(started)
	}
	var away error
	if virt.IsAway(err) {
		away = err
		if running, err = m.seenDomain(s.Name); err == nil && running == nil && phase != "" {
			// A start was noted, and files tell of no container: that it is down, libvirt has to say.
			return away
		}
	}
	if err != nil {
		return err
	}
	if running == nil && phase == "" {
		// A libvirtd that is started later would take up what they tell of.
		return m.stateFiles().RemoveState(s.Name)
	}
	if running != nil {
		defer running.Free()
		if running.IsUp() && phase == places.PhaseReady {
			return fmt.Errorf("%s %w; stop it first", s.Name, ErrRunning)
		}
		if running.IsUp() {
			m.Warn("ending what an interrupted start or stop left of %s", s.Name)
		}
	}
	if err = away; away == nil {
		err = m.endLeftover(ctx, connection, started)
	}
	if virt.IsAway(err) {
		err = m.stopWithoutLibvirt(ctx, started, 0)
	}
	if errors.Is(err, ErrNotRunning) {
		return nil
	}
	return err
}
