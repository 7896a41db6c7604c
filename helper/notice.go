package helper

import "github.com/virt-sandbox/virt-sandbox/config"

// noteNoMAC tells at create that the host has no mandatory access control: then ids of its own are all that keeps root inside
// from being root outside.
func (m *Manager) noteNoMAC(s *config.Sandbox) error {
	if s.Hardening.IDMap.Mapped() {
		return nil
	}
	connection, err := m.connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	model, err := securityModel(connection)
	if err != nil || model != "" {
		return err
	}
	m.Warn("this host has neither SELinux nor AppArmor: root inside %s is root outside too, unless it has ids of its own; "+
		"create it with --idmap auto, or write idmap=auto into [hardening] of its config", s.Name)
	return nil
}
