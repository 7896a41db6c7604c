package helper

import (
	"github.com/virt-sandbox/virt-sandbox/config"
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
	connection, err := m.connect()
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	var list []Status
	for _, name := range names {
		s, err := m.Store.Load(name)
		if err != nil {
			list = append(list, Status{Name: name, State: "unusable", Error: err.Error()})
			continue
		}
		status := Status{
			Name: name, State: "stopped", Units: s.Units, Command: s.Command, Unit: s.HostUnit(),
			Level: s.Security.Level, Content: s.Content,
		}
		started, err := m.asStarted(name)
		if err != nil {
			return nil, err
		}
		running, err := ownDomain(connection, started)
		switch {
		case err != nil:
			status.State, status.Error = "unusable", err.Error()
		case running != nil:
			running.Free()
			status.State = "running"
			if phase := runtimeOf(name).phase(); phase != phaseReady && phase != "" {
				status.State = string(phase)
			}
		case s.State == config.StateDeleting:
			status.State = "deleting"
		}
		list = append(list, status)
	}
	return list, nil
}
