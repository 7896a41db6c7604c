// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
)

// noteConfinement says once, at create, what a host without SELinux has in place of the sandbox's level.
func (p *Provisioner) noteConfinement(s *config.Sandbox) error {
	if p.Host.SELinux() {
		return nil
	}
	connection, err := p.Connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	model, err := connection.SecurityModel()
	if err != nil {
		return err
	}
	kept := ""
	if s.Security.Level != "" {
		kept = fmt.Sprintf("level %s is kept in the state of %s for the day it comes back, and ", s.Security.Level, s.Name)
	}
	var instead any
	unconfined := s.Security.AppArmor == config.AppArmorUnconfined
	switch {
	case model != "" && s.Security.AppArmor == "":
		instead = "libvirt's profile of AppArmor confines it"
	case model != "" && !unconfined:
		instead = "the AppArmor profile " + s.Security.AppArmor + " confines it"
	case s.Hardening.IDMap.Mapped():
		instead = "its own user ids separate root inside from root outside"
	case model != "":
		instead = field.Errorf("root inside is root outside, since AppArmor is told to leave it alone and it has no "+
			"user ids of its own; create it with %s auto, or without apparmor,profile=%s", field.IDMap,
			config.AppArmorUnconfined)
	default:
		instead = field.Errorf("root inside is root outside, since there is no AppArmor either, and it has no user "+
			"ids of its own; where it can have them, create it with %s auto, or write idmap=auto into [hardening] of its config",
			field.IDMap)
	}
	p.Warn("SELinux is off on this host: %s%v", kept, instead)
	return nil
}
