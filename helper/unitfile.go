package helper

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/unitstub"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// UnitFile is where the stub unit file of a sandbox lies.
func UnitFile(s *config.Sandbox) string { return filepath.Join(units.Dir, s.HostUnit()) }

// stubs are the stub unit files of the host.
func (m *Manager) stubs() unitstub.Files { return unitstub.Files{Root: m.Host.Root, Store: m.Store} }

// WriteUnitFile gives a sandbox the stub unit file that create would have made, for a config that came another way or has
// come to name another first unit. It returns the unit's name.
func (m *Manager) WriteUnitFile(ctx context.Context, name string) (string, error) {
	lock, err := m.lockName(ctx, name)
	if err != nil {
		return "", err
	}
	defer lock.Release()
	s, err := m.Store.Load(name)
	if err != nil {
		return "", err
	}
	if s.State == config.StateDeleting {
		return "", fmt.Errorf("%s is being deleted; run delete again to finish that", name)
	}
	if err := m.stubs().Renew(s); err != nil {
		return "", err
	}
	return s.HostUnit(), nil
}
