package helper

import (
	"fmt"

	"github.com/opencontainers/selinux/go-selinux"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
)

// labelCgroups gives the cgroups of a container whose first program waits the label of content that it may write, be its own
// of another type or not. What is made below them inherits it, so that a container need not be allowed to write to the
// kernel's type for all cgroups, the host's among them.
func (m *Manager) labelCgroups(s *config.Sandbox, groups cgroup.Groups) error {
	if s.FileLabel() == "" || !m.Host.SELinux() {
		return nil
	}
	label := s.WritableLabel()
	for _, dir := range groups.OfContainer() {
		if err := selinux.SetFileLabel(dir, label); err != nil {
			return fmt.Errorf("label cgroups: %w", err)
		}
	}
	return nil
}
