package helper

import (
	"errors"
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// askedCapabilities gives the capabilities that the units name as the host has them now: what root inside makes of them
// does not count.
func (m *Manager) askedCapabilities(s *config.Sandbox) ([]string, error) {
	var names []string
	for _, name := range s.Units {
		unit, err := unitfile.Root(m.Host.Root).Find(name, s.Name)
		if errors.Is(err, unitfile.ErrNoUnit) {
			continue // The container may have one of its own, which names nothing.
		}
		if err != nil {
			return nil, err
		}
		names = append(names, unit.Capabilities()...)
	}
	return names, nil
}

// missingCapabilities gives those that the host itself, and so libvirt, cannot have: it may be a container. This process may
// have fewer, since its unit bounds it.
func missingCapabilities() ([]string, error) {
	set, err := enter.BoundingSet(1)
	if err != nil {
		return nil, fmt.Errorf("read the host's capabilities: %w", err)
	}
	var names []string
	for number, name := range config.CapabilityNames() {
		if set&(1<<number) == 0 {
			names = append(names, name)
		}
	}
	return names, nil
}
