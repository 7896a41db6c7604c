// SPDX-License-Identifier: Apache-2.0

package virt

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// Domain is a domain of libvirt's. It is to be freed, before or after its connection is closed. The errors of methods
// that say no more are libvirt's own words, for a caller who says what was being done.
type Domain struct {
	domain *libvirt.Domain
	name   string
	of     *Connection
}

// Free lets go of the domain; what runs goes on.
func (d *Domain) Free() { d.of.leave(d.domain.Free) }

// IsUp reports whether the container of a domain runs: libvirt may keep a domain that has ended, even as one that runs.
// It loses a controller that speaks before libvirt has begun to listen, as happens at a start on a busy machine.
func (d *Domain) IsUp() bool {
	_, err := d.ControllerPID()
	return err == nil
}

// isController reports whether a process is the libvirt_lxc of a domain.
func isController(pid int, name string) bool {
	arguments, err := proc.Host.Arguments(pid)
	// Of a process that may not be looked at (proc(5), hidepid) it is known only that it lives.
	return controlledDomain(arguments) == name || err != nil && !errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}

// IsActive reports whether libvirt takes the domain for one that runs. Errors: ErrNoDomain.
func (d *Domain) IsActive() (bool, error) {
	active, err := ask(d.of, d.of.patience, d.domain.IsActive)
	return active, plain(err)
}

// IsPersistent reports whether the domain is defined, and thus stays when it ends. Errors: ErrNoDomain.
func (d *Domain) IsPersistent() (bool, error) {
	persistent, err := ask(d.of, d.of.patience, d.domain.IsPersistent)
	return persistent, plain(err)
}

// IsPaused reports whether the domain runs and is paused; false where libvirt does not say.
func (d *Domain) IsPaused() bool {
	state, err := ask(d.of, d.of.patience, func() (libvirt.DomainState, error) {
		state, _, err := d.domain.GetState()
		return state, err
	})
	return err == nil && state == libvirt.DOMAIN_PAUSED
}

// ControllerPID returns the number of the domain's libvirt_lxc process: the LXC driver uses it as the domain's. Its
// number may be another process's once it has ended, so that is an error.
func (d *Domain) ControllerPID() (int, error) {
	id, err := d.domain.GetID()
	if err != nil {
		return 0, fmt.Errorf("find the container's process: %w", plain(err))
	}
	if !d.of.controls(int(id), d.name) {
		return 0, errors.New("find the container's process: it has ended, which libvirt has not noticed")
	}
	return int(id), nil
}

// XML returns the domain's description. Errors: ErrNoDomain.
func (d *Domain) XML() (string, error) {
	text, err := ask(d.of, d.of.patience, func() (string, error) { return d.domain.GetXMLDesc(0) })
	return text, plain(err)
}

// ConsolePath returns the terminal that libvirt joined to the domain's first console.
func (d *Domain) ConsolePath() (string, error) {
	text, err := d.XML()
	if err != nil {
		return "", fmt.Errorf("find console: %w", err)
	}
	return consolePath(text)
}

func consolePath(text string) (string, error) {
	var described libvirtxml.Domain
	if err := described.Unmarshal(text); err != nil {
		return "", fmt.Errorf("find console: %w", err)
	}
	if described.Devices == nil || len(described.Devices.Consoles) == 0 || described.Devices.Consoles[0].TTY == "" {
		return "", errors.New("find console: libvirt names none")
	}
	return described.Devices.Consoles[0].TTY, nil
}

// Suspend has a domain stand still until Resume.
func (d *Domain) Suspend() error {
	if err := tell(d.of, d.domain.Suspend); err != nil {
		return fmt.Errorf("pause domain %s: %w", d.name, plain(err))
	}
	return nil
}

// Resume lets a domain run that was created with Paused, or suspended.
func (d *Domain) Resume() error {
	if err := tell(d.of, d.domain.Resume); err != nil {
		return fmt.Errorf("start domain %s: %w", d.name, plain(err))
	}
	return nil
}

// Destroy ends the domain by force. Errors: ErrNoDomain.
func (d *Domain) Destroy() error {
	if err := tell(d.of, d.domain.Destroy); err != nil {
		return fmt.Errorf("destroy domain %s: %w", d.name, plain(err))
	}
	return nil
}

// DestroyGracefully ends the domain unless it withstands a request to its process.
func (d *Domain) DestroyGracefully() error {
	if err := tell(d.of, func() error { return d.domain.DestroyFlags(libvirt.DOMAIN_DESTROY_GRACEFUL) }); err != nil {
		return fmt.Errorf("destroy domain %s: %w", d.name, plain(err))
	}
	return nil
}

// Undefine removes the definition of a domain. Errors: ErrNoDomain.
func (d *Domain) Undefine() error {
	if err := tell(d.of, d.domain.Undefine); err != nil {
		return fmt.Errorf("undefine domain %s: %w", d.name, plain(err))
	}
	return nil
}

// Forget has libvirt drop a domain that does not run and is not defined. It leaves one that is defined. Errors:
// ErrNoDomain.
func (d *Domain) Forget() error { return tell(d.of, d.forget) }

func (d *Domain) forget() error {
	// Only of a domain that is defined libvirt can be told to drop it.
	defined, err := d.domain.IsPersistent()
	if err != nil || defined {
		return plain(err)
	}
	xml, err := d.domain.GetXMLDesc(0)
	if err != nil {
		return plain(err)
	}
	connection, err := d.domain.DomainGetConnect()
	if err != nil {
		return plain(err)
	}
	defer connection.Close()
	again, err := connection.DomainDefineXML(xml)
	if err != nil {
		return plain(err)
	}
	defer again.Free()
	return plain(again.Undefine())
}
