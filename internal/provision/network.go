// SPDX-License-Identifier: Apache-2.0

package provision

import "github.com/virt-sandbox/virt-sandbox/config"

// PlanNetwork checks for a new sandbox that the host has what the interfaces name, and chooses their MAC addresses.
// Errors: *hostnet.InterfaceError.
// Preconditions: the caller holds the lock on the sandbox's name.
func (p *Provisioner) PlanNetwork(s *config.Sandbox) error {
	if len(s.Interfaces) == 0 {
		return nil
	}
	connection, err := p.Connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	return p.Network.Plan(connection, s)
}

// chooseMACs gives each interface that has no MAC one.
func (p *Provisioner) chooseMACs(s *config.Sandbox) error {
	if s.HasMACs() {
		return nil
	}
	connection, err := p.Connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	return p.Network.ChooseMACs(connection, s)
}
