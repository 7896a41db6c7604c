// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/alloc"
	"github.com/virt-sandbox/virt-sandbox/internal/apparmor"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/claims"
	"github.com/virt-sandbox/virt-sandbox/internal/freezing"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
	"github.com/virt-sandbox/virt-sandbox/internal/onlooker"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/sandboximage"
	"github.com/virt-sandbox/virt-sandbox/internal/startup"
	"github.com/virt-sandbox/virt-sandbox/internal/unitstub"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// places returns the places of a sandbox on this host.
func (m *Manager) places(name string) places.Sandbox { return places.Root(m.Host.Root).Of(name) }

// run returns the runtime directory of a container that stays.
func (m *Manager) run(name string) places.RunDir { return m.places(name).Run() }

// ErrNotShown is returned where a caller who is not root may not read the states of sandboxes.
var ErrNotShown = onlooker.ErrNotShown

func (m *Manager) onlooker() onlooker.Host {
	return onlooker.Host{Configs: m.Store, Root: places.Root(m.Host.Root)}
}

// startup returns what makes this host ready for starts.
func (m *Manager) startup() *startup.Host {
	return &startup.Host{
		Places: places.Root(m.Host.Root), Content: m.Host, Configs: m.Store, Claims: m.claims(), Warn: m.Warn, Mount: m.mount}
}

// apparmor returns the profiles of this host.
func (m *Manager) apparmor() apparmor.Root { return apparmor.Root(m.Host.Root) }

// locks returns the lock file of this host.
func (m *Manager) locks() *lockfile.File { return lockfile.New(m.Host.Root, m.Warn) }

// lockName waits until nobody else works on the sandbox, and thaws it: one that is still frozen was left so by a
// process that was killed, since the one that freezes it holds the lock as long as it is frozen.
func (m *Manager) lockName(ctx context.Context, name string) (*lockfile.Lock, error) {
	l, err := m.locks().Name(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := freezing.Thaw(m.run(name)); err != nil {
		l.Release()
		return nil, err
	}
	return l, nil
}

// lockNames is lockName for several, in an order in which no two commands wait for each other.
func (m *Manager) lockNames(ctx context.Context, names ...string) (lockfile.Locks, error) {
	l, err := m.locks().Names(ctx, names...)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := freezing.Thaw(m.run(name)); err != nil {
			l.Release()
			return nil, err
		}
	}
	return l, nil
}

// alloc returns what allocates levels and ids on this host.
func (m *Manager) alloc() *alloc.Book {
	return &alloc.Book{
		Root: m.Host.Root, Locks: m.locks(), Configs: m.Store, Host: m.Host, Domains: m.domainLevels, Warn: m.Warn,
	}
}

// domainLevels lists the levels of libvirt's domains but one, of running and of defined ones.
func (m *Manager) domainLevels(except string) ([]alloc.Use, error) {
	connection, err := m.libvirt.Connect()
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	recorded := func(name string) (*config.Sandbox, error) { return m.run(name).Recorded() }
	return alloc.LevelsOfDomains(connection.DomainTexts, recorded, except)
}

// claims returns the notes of which images the sandboxes of this host use.
func (m *Manager) claims() *claims.Book {
	return claims.New(claims.Options{
		Root: m.Host.Root, InHostMounts: namespace.InHostMounts, UnlinkJournals: m.Host.UnlinkJournals, Warn: m.Warn,
		Lock: func(ctx context.Context) (func(), error) {
			lock, err := m.locks().Images(ctx)
			if err != nil {
				return nil, err
			}
			return lock.Release, nil
		},
	})
}

// images returns the images of the sandboxes of this host.
func (m *Manager) images() *sandboximage.Images {
	return &sandboximage.Images{
		Root: places.Root(m.Host.Root), Configs: m.Store, Claims: m.claims(), Systemd: m.systemd, IsLabelled: m.Host.SELinux,
		LockName: m.lockName, Warn: m.Warn,
	}
}

// stubs are the stub unit files of the host.
func (m *Manager) stubs() unitstub.Files { return unitstub.Files{Root: m.Host.Root, Store: m.Store} }

// cgroups are the control groups of this host.
func (m *Manager) cgroups() cgroup.Tree { return cgroup.Below(m.Host.Root) }

// stateFiles are what libvirt keeps of domains on this host.
func (m *Manager) stateFiles() virt.StateFiles { return virt.NewStateFiles(m.Host.Root) }
