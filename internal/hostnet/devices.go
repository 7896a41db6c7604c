// SPDX-License-Identifier: Apache-2.0

package hostnet

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// RemoveDevices removes the host's ends of a container's interfaces that libvirt has left. What cannot be removed it
// warns of.
func (h *Host) RemoveDevices(s *config.Sandbox) {
	for _, i := range s.Interfaces {
		if i.MAC == "" {
			continue
		}
		err := RemoveDevice(i)
		if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EPERM) {
			// Its unit, made anew of an edited config, has no right to the network, for any of them; the next start that
			// has an interface, and the kernel with the container's network, remove them too.
			h.warn("%s: the unit may not remove what is left of the network of a container that was started with interfaces; "+
				"change interface= only while it is stopped", s.Name)
			return
		}
		if err != nil {
			h.warn("%s: %v", s.Name, err)
		}
	}
}

// RemoveDevice removes the host's end of an interface that libvirt left, as it does when a start failed. No container
// that runs has it: nobody else has the MAC address.
func RemoveDevice(i config.Interface) error {
	name := i.HostDevice()
	link, err := netlink.LinkByName(name)
	var absent netlink.LinkNotFoundError
	if errors.As(err, &absent) {
		return nil
	}
	if err == nil && link.Type() == "veth" {
		err = netlink.LinkDel(link)
	}
	if err != nil {
		return fmt.Errorf("remove what an interrupted start left of the network, %s: %w", name, err)
	}
	return nil
}
