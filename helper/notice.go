package helper

import (
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// noteConfinement says once, at create, what a host without SELinux has in place of the sandbox's level.
func (m *Manager) noteConfinement(s *config.Sandbox) error {
	if m.Host.SELinux() {
		return nil
	}
	connection, err := m.libvirt.Connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	model, err := connection.SecurityModel()
	if err != nil {
		return err
	}
	note := "SELinux is off on this host: "
	if s.Security.Level != "" {
		note += fmt.Sprintf("level %s is kept in the config of %s for the day it comes back, and ", s.Security.Level, s.Name)
	}
	unconfined := s.Security.AppArmor == config.AppArmorUnconfined
	switch {
	case model != "" && s.Security.AppArmor == "":
		note += "libvirt's profile of AppArmor confines it"
	case model != "" && !unconfined:
		note += "the AppArmor profile " + s.Security.AppArmor + " confines it"
	case s.Hardening.IDMap.Mapped():
		note += "its own user ids separate root inside from root outside"
	case model != "":
		note += "root inside is root outside, since AppArmor is told to leave it alone; create it with --idmap auto, or " +
			"without apparmor,profile=" + config.AppArmorUnconfined
	default:
		note += "root inside is root outside, since there is no AppArmor either; create it with --idmap auto, or write " +
			"idmap=auto into [hardening] of its config, to give it user ids of its own"
	}
	m.Warn("%s", note)
	return nil
}
