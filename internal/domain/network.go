// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"strconv"

	"libvirt.org/go/libvirtxml"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// InterfaceName is what an interface of the config, by its place there, is called in the container.
func InterfaceName(n int) string { return "eth" + strconv.Itoa(n) }

// interfaces gives each interface its names on both sides. libvirt 9.0 sets up no filter for one without a name on the
// host.
func interfaces(s *config.Sandbox) (list []libvirtxml.DomainInterface) {
	for n, i := range s.Interfaces {
		element := attachment(i)
		element.Guest = &libvirtxml.DomainInterfaceGuest{Dev: InterfaceName(n)}
		list = append(list, element)
	}
	return list
}

// attachment is the host's side of an interface. One that names neither a libvirt network nor a bridge is on a network
// of QEMU's own, in user space.
func attachment(i config.Interface) libvirtxml.DomainInterface {
	element := libvirtxml.DomainInterface{Source: &libvirtxml.DomainInterfaceSource{}}
	if i.MAC != "" {
		element.MAC = &libvirtxml.DomainInterfaceMAC{Address: i.MAC}
	}
	switch {
	case i.Bridge != "":
		element.Source.Bridge = &libvirtxml.DomainInterfaceSourceBridge{Bridge: i.Bridge}
	case i.Source != "":
		element.Source.Network = &libvirtxml.DomainInterfaceSourceNetwork{Network: i.Source}
	default:
		element.Source.User = &libvirtxml.DomainInterfaceSourceUser{}
		return element
	}
	if name := i.HostDevice(); name != "" {
		element.Target = &libvirtxml.DomainInterfaceTarget{Dev: name}
	}
	if i.Filter != "" {
		element.FilterRef = &libvirtxml.DomainInterfaceFilterRef{Filter: i.Filter}
		for _, p := range i.Parameters {
			element.FilterRef.Parameters = append(
				element.FilterRef.Parameters,
				libvirtxml.DomainInterfaceFilterParam{Name: p.Name, Value: p.Value},
			)
		}
	}
	return element
}
