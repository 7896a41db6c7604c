// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"fmt"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/internal/boot"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
)

// Execute runs a command in a running container as root there, under the container's label unless noLabel is set, and
// returns its exit status. Errors: ErrNotRunning.
func (m *Manager) Execute(ctx context.Context, name string, command enter.Command, noLabel bool) (int, error) {
	s, err := m.asStarted(name)
	if err != nil {
		return 0, err
	}
	if _, err := m.controllerPID(s); err != nil {
		return 0, err
	}
	target, err := m.targetOf(s)
	if err != nil {
		return 0, fmt.Errorf("enter %s: %w", name, err)
	}
	if noLabel {
		target.Label, target.Profile = "", ""
	}
	command.Environment = slices.Concat(enter.Environment(name), boot.Environment(s), command.Environment)
	status, err := enter.Run(ctx, target, command)
	if err != nil {
		return 0, fmt.Errorf("execute in %s: %w", name, err)
	}
	return status, nil
}
