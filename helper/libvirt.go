// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"os"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hostnet"
	"github.com/virt-sandbox/virt-sandbox/internal/startup"
	"github.com/virt-sandbox/virt-sandbox/internal/upgrading"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// libvirt is the way to libvirt, as far as the verbs need it (virt.Client).
type libvirt interface {
	Connect() (libvirtConnection, error)
	WithReconnect(ctx context.Context, first libvirtConnection, do func(libvirtConnection) error) error
}

// libvirtConnection is an open connection to libvirt (virt.Connection).
type libvirtConnection interface {
	hostnet.Libvirt
	startup.Libvirt
	Create(name, xml string, flags virt.CreateFlags) (libvirtDomain, error)
	OwnDomain(s *config.Sandbox) (libvirtDomain, error)
	Close()
}

// libvirtDomain is a container as libvirt has it (virt.Domain).
type libvirtDomain interface {
	endingDomain
	IsUp() bool
	IsPaused() bool
	Suspend() error
	Resume() error
	OpenConsole() (*os.File, error)
	Free()
}

// Reach reports whether libvirt can be reached, as a start needs it.
func Reach(m *Manager) error {
	connection, err := m.libvirt.Connect()
	if err == nil {
		connection.Close()
	}
	return err
}

// withDomain calls act with libvirt's domain of a name, running or defined, where there is one.
func (m *Manager) withDomain(name string, act func(upgrading.Domain) error) error {
	opened, err := m.client.Connect()
	if err != nil {
		return err
	}
	defer opened.Close()
	found, err := opened.Domain(name)
	if found == nil || err != nil {
		return err
	}
	defer found.Free()
	return act(found)
}

// client is the libvirt of this host.
type client struct{ *virt.Client }

func (c client) Connect() (libvirtConnection, error) {
	opened, err := c.Client.Connect()
	if err != nil {
		return nil, err
	}
	return opening{opened}, nil
}

func (c client) WithReconnect(ctx context.Context, first libvirtConnection, do func(libvirtConnection) error) error {
	return c.Client.WithReconnect(ctx, first.(opening).Connection, func(next *virt.Connection) error {
		return do(opening{next})
	})
}

// opening is a connection to the libvirt of this host.
type opening struct{ *virt.Connection }

func (o opening) Create(name, xml string, flags virt.CreateFlags) (libvirtDomain, error) {
	return some(o.Connection.Create(name, xml, flags))
}

func (o opening) OwnDomain(s *config.Sandbox) (libvirtDomain, error) {
	return some(o.Connection.OwnDomain(s))
}

// some makes no domain a nil one.
func some(d *virt.Domain, err error) (libvirtDomain, error) {
	if d == nil {
		return nil, err
	}
	return d, err
}
