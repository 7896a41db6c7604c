package helper

import (
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/apparmor"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/startup"
)

// places returns the places of a sandbox on this host.
func (m *Manager) places(name string) places.Sandbox { return places.Root(m.Host.Root).Of(name) }

// run returns the runtime directory of a container that stays.
func (m *Manager) run(name string) places.RunDir { return m.places(name).Run() }

// startup returns what makes this host ready for starts.
func (m *Manager) startup() *startup.Host {
	return &startup.Host{Places: places.Root(m.Host.Root), Content: m.Host, Claims: m.claims(), Warn: m.Warn}
}

// apparmor returns the profiles of this host.
func (m *Manager) apparmor() apparmor.Root { return apparmor.Root(m.Host.Root) }

// asStarted returns the config that a running container was started with, and that of the store for one that is down.
func (m *Manager) asStarted(name string) (*config.Sandbox, error) {
	s, err := m.run(name).Recorded()
	if err == nil {
		return s, nil
	}
	return m.Store.Load(name)
}

// IsUnwatched reports whether a container is up whose monitor was lost.
func (m *Manager) IsUnwatched(name string) bool {
	d := m.run(name)
	if d.Phase() != places.PhaseReady {
		return false
	}
	watched, err := d.HasMonitor()
	return err == nil && !watched
}
