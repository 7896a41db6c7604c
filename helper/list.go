// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// Status is one line of a list.
type Status struct {
	Name    string   `json:"name"`
	State   string   `json:"state"` // running, starting, stopping, stopped, deleting or unusable
	Units   []string `json:"units,omitempty"`
	Command []string `json:"command,omitempty"`
	Unit    string   `json:"unit,omitempty"` // that runs it on the host
	Level   string   `json:"level,omitempty"`
	Content string   `json:"content,omitempty"`
	Error   string   `json:"error,omitempty"` // why a config is unusable
}

// List tells of every sandbox that has a config.
func (m *Manager) List() ([]Status, error) {
	names, err := m.Store.Names()
	if err != nil || len(names) == 0 {
		return nil, err
	}
	connection, err := m.libvirt.Connect()
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	var list []Status
	for _, name := range names {
		status, _, running, err := m.statusOf(connection, name)
		if err != nil {
			return nil, err
		}
		if running != nil {
			running.Free()
		}
		list = append(list, status)
	}
	return list, nil
}

// statusOf looks at one sandbox: its status, its config as it was started or as it is, and its domain where it is up.
// Without a usable config there is only the first.
func (m *Manager) statusOf(connection libvirtConnection, name string) (Status, *config.Sandbox, libvirtDomain, error) {
	s, err := m.Store.Load(name)
	if err != nil {
		return Status{Name: name, State: "unusable", Error: err.Error()}, nil, nil, nil
	}
	status := Status{
		Name: name, State: "stopped", Units: s.Units, Command: s.Command, Unit: s.HostUnit(),
		Level: s.Security.Level, Content: s.Content,
	}
	started, err := m.asStarted(name)
	if err != nil {
		return status, nil, nil, err
	}
	running, err := connection.OwnDomain(started)
	if running != nil && !running.IsUp() {
		running.Free()
		running = nil
	}
	switch {
	case err != nil:
		status.State, status.Error = "unusable", err.Error()
	case running != nil:
		status.State, status.Level = "running", started.Security.Level
		if phase := m.run(name).Phase(); phase != places.PhaseReady && phase != "" {
			status.State = string(phase)
		}
	case s.State == config.StateDeleting:
		status.State = "deleting"
	}
	return status, started, running, nil
}

// RunningNames returns the names of those that are up.
func RunningNames(list []Status) []string {
	var names []string
	for _, s := range list {
		if s.State == "running" {
			names = append(names, s.Name)
		}
	}
	return names
}
