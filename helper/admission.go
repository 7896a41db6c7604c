package helper

import (
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/programs"
)

// noteAdmission notes it for the container of a first process that waits.
func (m *Manager) noteAdmission(s *config.Sandbox, init int, plan *guest.Plan) error {
	a := enter.Admission{Profile: plan.Profile}
	var err error
	if a.Init, err = enter.ProcessOf(init); err != nil {
		return err
	}
	if a.Bounding, err = enter.BoundingSet(init); err != nil {
		return fmt.Errorf("read the container's capabilities: %w", err)
	}
	for _, number := range plan.Drop {
		a.Bounding &^= 1 << number
	}
	if m.Host.SELinux() && s.FileLabel() != "" {
		a.Label = s.ProcessLabel()
	}
	if a.Profile == "" {
		a.Profile = m.apparmor().ProfileOf(init)
	}
	if err := m.run(s.Name).Update(func(state *places.State) { state.Admission = &a }); err != nil {
		return fmt.Errorf("note the container's first process: %w", err)
	}
	return nil
}

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
