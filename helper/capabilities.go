package helper

import (
	"errors"
	"os"
	"strconv"

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

// missingCapabilities gives those that no program of this host can have, libvirt's neither: its first process bounds all.
func missingCapabilities() []string {
	status, err := os.ReadFile("/proc/1/status")
	if err != nil {
		return nil
	}
	bounding, err := strconv.ParseUint(statusField(status, "CapBnd"), 16, 64)
	if err != nil {
		return nil
	}
	var names []string
	for number, name := range config.CapabilityNames() {
		if bounding&(1<<number) == 0 {
			names = append(names, name)
		}
	}
	return names
}
