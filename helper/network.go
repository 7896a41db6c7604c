// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/hostnet"
	"github.com/virt-sandbox/virt-sandbox/internal/network"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// hostnet returns what looks at this host's networks.
func (m *Manager) hostnet() *hostnet.Host { return hostnet.New(m.Store, m.Warn) }

// prepareOneShot prepares the interfaces of a one-shot.
func (m *Manager) prepareOneShot(connection hostnet.Libvirt, s *config.Sandbox) ([]network.Interface, error) {
	interfaces, err := m.hostnet().PrepareOneShot(connection, s)
	var wrong *hostnet.InterfaceError
	if errors.As(err, &wrong) {
		return nil, field.Errorf("%s %s: %w", field.Networks, wrong.Interface, wrong.Err)
	}
	return interfaces, err
}

// setNetwork gives the interfaces of a container whose first program waits what they shall have.
func (m *Manager) setNetwork(ctx context.Context, r *Running, interfaces []network.Interface,
	status func(string)) error {
	if len(interfaces) == 0 {
		return nil
	}
	pid, err := r.firstProcess()
	if errors.Is(err, proc.ErrNoFirst) {
		return nil // It has ended already, which awaitReady tells.
	}
	if err != nil {
		return err
	}
	init, err := proc.Open(pid)
	if err != nil {
		return err
	}
	defer init.Close()
	dir, err := os.OpenRoot(m.run(r.Sandbox.Name).Path())
	if err != nil {
		return fmt.Errorf("open runtime directory: %w", err)
	}
	defer dir.Close()
	status("Waiting for the network")
	limit := min(config.NetworkTimeout, r.Sandbox.Limits.StartTimeout)
	return hostnet.Start(ctx, r.Sandbox, dir, init.File(), interfaces, limit)
}

// addresses returns those of a running container that others can reach, as the kernel has them for its network; of one
// that has the host's network none are its own. Errors: ErrNotRunning.
func (m *Manager) addresses(ctx context.Context, name string) ([]netip.Prefix, error) {
	s, err := m.asStarted(name)
	if err != nil {
		return nil, err
	}
	controller, err := m.controllerPID(s)
	if err != nil || s.Network == config.NetworkHost {
		return nil, err
	}
	pid, err := m.initOf(controller)
	if err != nil {
		return nil, fmt.Errorf("addresses of %s: %w", name, err)
	}
	addresses, err := hostnet.AddressesOf(ctx, pid)
	if err != nil {
		return nil, fmt.Errorf("addresses of %s: %w", name, err)
	}
	return addresses, nil
}
