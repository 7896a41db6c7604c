package helper

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper/content"
)

// askedCapabilities gives the capabilities that the units name as the host has them now: what root inside makes of them
// does not count.
func (m *Manager) askedCapabilities(s *config.Sandbox) ([]string, error) {
	var names []string
	for _, name := range s.Units {
		unit, err := m.Host.FindUnit(name, s.Name)
		if errors.Is(err, content.ErrNoUnit) {
			continue // The container may have one of its own, which names nothing.
		}
		if err != nil {
			return nil, err
		}
		names = append(names, unit.Capabilities()...)
	}
	return names, nil
}

// missingCapabilities gives those that this process, and so libvirt, cannot have.
func missingCapabilities() []string {
	var names []string
	for number, name := range config.CapabilityNames() {
		if has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(number), 0, 0, 0); err == nil && has == 0 {
			names = append(names, name)
		}
	}
	return names
}
