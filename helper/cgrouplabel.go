package helper

import (
	"errors"
	"fmt"

	"github.com/opencontainers/selinux/go-selinux"

	"github.com/virt-sandbox/virt-sandbox/helper/enter"
)

// labelCgroups gives the cgroups of a container whose first program waits the label of its content. What is made below them
// inherits it, so that a container need not be allowed to write to the kernel's type for all cgroups, the host's among them.
func (m *Manager) labelCgroups(r *Running) error {
	label := r.Sandbox.FileLabel()
	if label == "" || !m.Host.SELinux() {
		return nil
	}
	init, err := initOf(r.controllerPID())
	if errors.Is(err, errNoInit) {
		return nil // It has ended already, which awaitReady tells.
	}
	if err != nil {
		return err
	}
	groups, err := enter.Cgroups(init)
	if err != nil {
		return fmt.Errorf("label cgroups: %w", err)
	}
	for _, dir := range groups {
		if !isOfContainer(dir) {
			continue
		}
		if err := selinux.SetFileLabel(dir, label); err != nil {
			return fmt.Errorf("label cgroups: %w", err)
		}
	}
	return nil
}
