package helper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/programs"
)

// admission is what a container may be entered with. It is noted while the container's first program is ours and waits:
// later, root inside can trace that process, and have it join another user namespace and set its capabilities anew.
type admission struct {
	Init     enter.Process `json:"init"`
	Bounding uint64        `json:"bounding"`
	Label    string        `json:"label"`   // SELinux context of the payload; empty where SELinux is off
	Profile  string        `json:"profile"` // AppArmor profile of the payload; empty for none
}

// noteAdmission notes it for the container of a first process that waits.
func (m *Manager) noteAdmission(s *config.Sandbox, init int, plan *guest.Plan) error {
	a := admission{Profile: plan.Profile}
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
		a.Profile = profileOf(init)
	}
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("note the container's first process: %w", err)
	}
	if err := os.WriteFile(runtimeOf(s.Name).admissionFile(), data, 0o600); err != nil {
		return fmt.Errorf("note the container's first process: %w", err)
	}
	return nil
}

func (d runtimeDir) admissionFile() string { return filepath.Join(string(d), "admission.json") }

// targetOf gives the running container of a sandbox as one to enter. Errors: ErrNotRunning.
func targetOf(s *config.Sandbox) (enter.Target, error) {
	data, err := os.ReadFile(runtimeOf(s.Name).admissionFile())
	if errors.Is(err, fs.ErrNotExist) {
		return enter.Target{}, fmt.Errorf("%s %w", s.Name, ErrNotRunning)
	}
	var a admission
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	if err != nil {
		return enter.Target{}, fmt.Errorf("read what was noted of %s at its start: %w", s.Name, err)
	}
	program, err := programs.Find(guest.Program)
	if err != nil {
		return enter.Target{}, err
	}
	return enter.Target{
		Process: a.Init, Root: s.Hardening.IDMap.Base, Bounding: a.Bounding, Label: a.Label, Profile: a.Profile, Program: program,
	}, nil
}
