package helper

import (
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// stateFiles are what libvirt keeps of domains on this host.
func (m *Manager) stateFiles() virt.StateFiles { return virt.NewStateFiles(m.Host.Root) }

// controllerPID returns the number of the libvirt_lxc process of a sandbox. Errors: ErrNotRunning.
func (m *Manager) controllerPID(s *config.Sandbox) (int, error) {
	connection, err := m.libvirt.Connect()
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	running, err := connection.OwnDomain(s)
	if err != nil {
		return 0, err
	}
	if running == nil {
		return 0, fmt.Errorf("%s %w; start it first", s.Name, ErrNotRunning)
	}
	defer running.Free()
	if running.IsPaused() {
		// Whoever entered its frozen cgroups would freeze too.
		return 0, fmt.Errorf("%s is paused; run virsh -c %s resume %s first", s.Name, m.URI, s.Name)
	}
	return running.ControllerPID()
}

// controlled is a domain that is asked for its libvirt_lxc process.
type controlled interface {
	ControllerPID() (int, error)
}

// controllerOf opens the libvirt_lxc process of a domain.
func controllerOf(running controlled) (*proc.Process, error) {
	pid, err := running.ControllerPID()
	if err != nil {
		return nil, err
	}
	return proc.Open(pid)
}

// initOf finds the first process of the container that a libvirt_lxc controller runs. Errors: proc.ErrNoFirst while
// there is no container yet, or no more.
func initOf(controller int) (int, error) { return virt.NewStateFiles("").FirstProcess(controller) }
