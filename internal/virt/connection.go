// SPDX-License-Identifier: Apache-2.0

package virt

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// Connection is an open connection to libvirt. Its methods may be called from several goroutines until Close.
type Connection struct {
	connect  *libvirt.Connect
	uri      string
	patience time.Duration // how long libvirt may take to answer
	silent   atomic.Bool   // it has not answered, and is not asked again
	controls func(pid int, name string) bool
}

// Close closes the connection. libvirt ends the domains that were created with AutoDestroy over it.
func (c *Connection) Close() {
	c.leave(func() error {
		_, err := c.connect.Close()
		return err
	})
}

// URI is what the connection leads to.
func (c *Connection) URI() string { return c.uri }

func (c *Connection) isLost() bool {
	if c.silent.Load() {
		return true
	}
	alive, err := c.connect.IsAlive()
	return err != nil || !alive
}

// CreateFlags change how a domain is created.
type CreateFlags uint

// How a domain is created.
const (
	// AutoDestroy has libvirt end the domain when the connection is closed, by whatever cause.
	AutoDestroy = CreateFlags(libvirt.DOMAIN_START_AUTODESTROY)
	// Paused has the domain wait for Resume.
	Paused = CreateFlags(libvirt.DOMAIN_START_PAUSED)
)

// Create starts a domain of a name and a description, which exists only while it runs. The caller frees it. Errors:
// ErrTaken.
func (c *Connection) Create(name, xml string, flags CreateFlags) (*Domain, error) {
	domain, err := ask(c, createLimit, func() (*libvirt.Domain, error) {
		return c.connect.DomainCreateXML(xml, libvirt.DomainCreateFlags(flags))
	})
	if err != nil {
		return nil, fmt.Errorf("start domain %s: %w", name, plain(err))
	}
	return &Domain{domain: domain, name: name, of: c}, nil
}

// Domain looks up a domain, which the caller frees; nil for none of the name.
func (c *Connection) Domain(name string) (*Domain, error) {
	domain, err := ask(c, c.patience, func() (*libvirt.Domain, error) { return c.connect.LookupDomainByName(name) })
	if err != nil {
		if err = plain(err); errors.Is(err, ErrNoDomain) {
			return nil, nil
		}
		return nil, fmt.Errorf("look up domain %s: %w", name, err)
	}
	return &Domain{domain: domain, name: name, of: c}, nil
}

// HasDomain reports whether there is a domain of the name, running or defined.
func (c *Connection) HasDomain(name string) (bool, error) {
	domain, err := c.Domain(name)
	if domain == nil || err != nil {
		return false, err
	}
	domain.Free()
	return true, nil
}

// OwnDomain looks up the domain of a sandbox, which the caller frees; nil for none. It refuses a domain that has only
// the name in common with the sandbox.
func (c *Connection) OwnDomain(s *config.Sandbox) (*Domain, error) {
	domain, err := c.Domain(s.Name)
	if domain == nil || err != nil {
		return nil, err
	}
	uuid, err := domain.domain.GetUUIDString()
	if err != nil {
		err = fmt.Errorf("look up domain %s: %w", s.Name, plain(err))
	} else if uuid != s.UUID {
		err = fmt.Errorf("libvirt has another domain of the name %s (UUID %s); rename one of them", s.Name, uuid)
	}
	if err != nil {
		domain.Free()
		return nil, err
	}
	return domain, nil
}

// DomainTexts returns the XML of libvirt's domains, of running and of defined ones. Those that isKnown reports by
// their name and UUID are left out; it may be nil.
func (c *Connection) DomainTexts(isKnown func(name, uuid string) bool) ([]string, error) {
	domains, err := ask(c, c.patience, func() ([]libvirt.Domain, error) { return c.connect.ListAllDomains(0) })
	if err != nil {
		return nil, fmt.Errorf("list libvirt's domains: %w", plain(err))
	}
	defer func() {
		for _, d := range domains {
			c.leave(d.Free)
		}
	}()
	var texts []string
	for _, d := range domains {
		if isKnown != nil {
			name, nameErr := d.GetName()
			uuid, uuidErr := d.GetUUIDString()
			if nameErr == nil && uuidErr == nil && isKnown(name, uuid) {
				continue
			}
		}
		text, err := ask(c, c.patience, func() (string, error) { return d.GetXMLDesc(0) })
		if err = plain(err); errors.Is(err, ErrNoDomain) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read libvirt's domains: %w", err)
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// SecurityModel returns what libvirt's driver confines domains with: selinux, apparmor or "".
func (c *Connection) SecurityModel() (string, error) {
	// Not in libvirt's capabilities, which it collects anew for everyone who asks.
	model, err := ask(c, c.patience, c.connect.GetSecurityModel)
	if err != nil {
		return "", fmt.Errorf("ask libvirt for its security model: %w", plain(err))
	}
	if model.Model == "selinux" || model.Model == "apparmor" {
		return model.Model, nil
	}
	return "", nil
}

// HostMemory returns the machine's RAM in bytes.
func (c *Connection) HostMemory() (config.Size, error) {
	info, err := ask(c, c.patience, c.connect.GetNodeInfo)
	if err != nil {
		return 0, fmt.Errorf("read the host's memory size: %w", plain(err))
	}
	return config.Size(info.Memory) * 1024, nil
}
