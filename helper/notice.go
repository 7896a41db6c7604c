package helper

import "github.com/virt-sandbox/virt-sandbox/config"

// noteConfinement says once, at create, what a host without SELinux has in place of the sandbox's level.
func (m *Manager) noteConfinement(s *config.Sandbox) error {
	if m.Host.SELinux() {
		return nil
	}
	connection, err := m.connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	model, err := securityModel(connection)
	if err != nil {
		return err
	}
	const kept = "SELinux is off on this host: level %s is kept in the config of %s for the day it comes back, "
	unconfined := s.Security.AppArmor == config.AppArmorUnconfined
	switch {
	case model != "" && s.Security.AppArmor == "":
		m.Warn(kept+"and libvirt's profile of AppArmor confines it", s.Security.Level, s.Name)
	case model != "" && !unconfined:
		m.Warn(kept+"and the AppArmor profile %s confines it", s.Security.Level, s.Name, s.Security.AppArmor)
	case s.Hardening.IDMap.Mapped():
		m.Warn(kept+"and its own user ids separate root inside from root outside", s.Security.Level, s.Name)
	case model != "":
		m.Warn(kept+"and root inside is root outside, since AppArmor is told to leave it alone; create it with --idmap auto, or "+
			"without apparmor,profile=%s", s.Security.Level, s.Name, config.AppArmorUnconfined)
	default:
		m.Warn(kept+"and root inside is root outside, since there is no AppArmor either; create it with --idmap auto, or write "+
			"idmap=auto into [hardening] of its config, to give it user ids of its own", s.Security.Level, s.Name)
	}
	return nil
}
