package helper

import "os"

// SupervisorLost tells whether systemd runs this process for a unit whose main process was killed, and not because the
// unit is to be stopped (systemd.exec(5), SERVICE_RESULT). The container of that unit may be well.
func SupervisorLost() bool {
	switch os.Getenv("SERVICE_RESULT") {
	case "signal", "core-dump", "oom-kill":
		return true
	}
	return false
}

// IsReady tells whether a start of the container came to its end and no stop has begun.
func (m *Manager) IsReady(name string) bool {
	return runtimeOf(name).phase() == phaseReady
}
