// SPDX-License-Identifier: Apache-2.0

package hostnet

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/network"
	"github.com/virt-sandbox/virt-sandbox/internal/wellformed"
)

// Start gives the interfaces of a container whose first program waits what they shall have, within a limit. dir is its
// runtime directory, init the pidfd of its first process.
func Start(ctx context.Context, s *config.Sandbox, dir *os.Root, init *os.File, interfaces []network.Interface,
	limit time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := network.SwitchOn(init, interfaces)
	if err == nil {
		err = AwaitForwarding(limited, s.Interfaces)
	}
	if err == nil {
		err = network.NewState(dir, wellformed.Hostname(s.Name), interfaces).Start(limited, init)
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("network of %s: %w", s.Name, network.Explain(err, limit))
	}
	return nil
}
