// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"errors"
	"os"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hostnet"
	"github.com/virt-sandbox/virt-sandbox/internal/network"
	"github.com/virt-sandbox/virt-sandbox/internal/oneshot"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// OneShots returns what starts containers for one command on this host, for package sandbox.
func (m *Manager) OneShots() *oneshot.Starter {
	return &oneshot.Starter{
		Host: oneShotHost{
			m,
		}, Startup: m.startup(), Places: places.Root(m.Host.Root), Locks: m.locks(), Alloc: m.alloc(), Libvirt: m.client,
		Console: m.Console, Warn: m.Warn,
	}
}

// oneShotHost is what one-shots and containers that stay have in common.
type oneShotHost struct{ m *Manager }

func (h oneShotHost) HasConfig(name string) bool {
	_, err := os.Lstat(h.m.Store.Path(name))
	return err == nil
}

func (h oneShotHost) PrepareInterfaces(connection hostnet.Libvirt, s *config.Sandbox) ([]network.Interface, error) {
	return h.m.prepareOneShot(connection, s)
}

func (h oneShotHost) AttachImages(ctx context.Context, s *config.Sandbox) error {
	return h.m.images().AttachAll(ctx, s)
}

func (h oneShotHost) Release(name string) error {
	return errors.Join(
		h.m.claims().Detach(name),
		h.m.stateFiles().RemoveMountPoints(name),
		h.m.stateFiles().RemoveLog(name),
	)
}
