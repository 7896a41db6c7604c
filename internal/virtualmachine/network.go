// SPDX-License-Identifier: Apache-2.0

package virtualmachine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/network"
)

// networkDir has what is known of the leases, and the resolv.conf(5) that follows from them.
const networkDir = "/run/virt-sandbox-network"

// setNetwork gives the interfaces what they shall have, and keeps their leases as long as the machine runs.
func setNetwork(n *guest.MachineNetwork, hostname string) error {
	for _, i := range n.Interfaces {
		_, err := await("the interface "+i.Name, func() (string, bool) {
			_, err := os.Stat("/sys/class/net/" + i.Name)
			return i.Name, err == nil
		})
		if err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(networkDir, filepath.Dir(network.ResolvFile)), 0o755); err != nil {
		return fmt.Errorf("set up the network: %w", err)
	}
	path, err := os.Open(networkDir)
	if err != nil {
		return fmt.Errorf("set up the network: %w", err)
	}
	dir, err := os.OpenRoot(networkDir)
	if err != nil {
		return fmt.Errorf("set up the network: %w", err)
	}
	defer dir.Close()
	pidfd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return fmt.Errorf("set up the network: %w", err)
	}
	self := os.NewFile(uintptr(pidfd), "pidfd")
	ctx, cancel := context.WithTimeout(context.Background(), n.Limit)
	defer cancel()
	if err = network.SwitchOn(self, n.Interfaces); err == nil {
		err = network.NewState(dir, hostname, n.Interfaces).Start(ctx, self)
	}
	if err != nil {
		return fmt.Errorf("network of %s: %w", hostname, network.Explain(err, n.Limit))
	}
	go func() {
		say := func(text string) { fmt.Fprintf(os.Stderr, "virt-sandbox-init: %s\n", text) }
		if err := network.Keep(context.Background(), path, self, say); err != nil {
			say(err.Error())
		}
	}()
	return guest.ShowResolv(filepath.Join(networkDir, network.ResolvFile))
}
