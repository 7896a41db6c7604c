// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/programs"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// asStarted returns the config that a running container was started with, and that of the store for one that is down.
func (m *Manager) asStarted(name string) (*config.Sandbox, error) {
	s, err := m.run(name).Recorded()
	if err == nil {
		return s, nil
	}
	return m.Store.Load(name)
}

// IsUnwatched reports whether a container is up whose monitor was lost.
func (m *Manager) IsUnwatched(name string) bool {
	d := m.run(name)
	if d.Phase() != places.PhaseReady {
		return false
	}
	watched, err := d.HasMonitor()
	return err == nil && !watched
}

// upDomain returns libvirt's domain of a sandbox, which is to be freed; nil where it is down.
func upDomain(connection libvirtConnection, s *config.Sandbox) (libvirtDomain, error) {
	domain, err := connection.OwnDomain(s)
	if domain != nil && !domain.IsUp() {
		domain.Free()
		return nil, nil
	}
	return domain, err
}

// ownDomain is upDomain by a connection of its own. Where libvirt cannot be asked, files tell of the container.
func (m *Manager) ownDomain(s *config.Sandbox) (libvirtDomain, error) {
	connection, err := m.libvirt.Connect()
	if err == nil {
		defer connection.Close()
		var running libvirtDomain
		if running, err = upDomain(connection, s); err == nil {
			return running, nil
		}
	}
	if virt.IsAway(err) {
		return m.seenDomain(s.Name)
	}
	return nil, err
}

// seenDomain returns a container as libvirt's files tell of it; nil for one that is down.
func (m *Manager) seenDomain(name string) (libvirtDomain, error) {
	seen, err := m.stateFiles().Seen(name, m.run(name).Phase() != "")
	if seen == nil {
		return nil, err
	}
	return seen, err
}

// controllerPID returns the number of the libvirt_lxc process of a sandbox. Errors: ErrNotRunning.
func (m *Manager) controllerPID(s *config.Sandbox) (int, error) {
	running, err := m.ownDomain(s)
	if err != nil {
		return 0, err
	}
	if running == nil {
		return 0, fmt.Errorf("%s %w; start it first", s.Name, ErrNotRunning)
	}
	defer running.Free()
	if m.isPaused(running, s.Name) {
		// Whoever entered its frozen cgroups would freeze too.
		return 0, fmt.Errorf("%s is paused; run resume %s first", s.Name, s.Name)
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
func (m *Manager) initOf(controller int) (int, error) { return m.stateFiles().FirstProcess(controller) }

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
	return a.Target(s.Name, s.Hardening.IDMap.Base, program), nil
}
