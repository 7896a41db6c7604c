package helper

import (
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/programs"
)

// targetOf returns the running container of a sandbox as one to enter. Errors: ErrNotRunning.
func (m *Manager) targetOf(s *config.Sandbox) (enter.Target, error) {
	a := m.run(s.Name).State().Admission
	if a == nil {
		return enter.Target{}, fmt.Errorf("%s %w", s.Name, ErrNotRunning)
	}
	program, err := programs.Find(guest.Program)
	if err != nil {
		return enter.Target{}, err
	}
	return a.Target(s.Hardening.IDMap.Base, program), nil
}
