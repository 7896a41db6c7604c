package domain

import (
	"strconv"

	"libvirt.org/go/libvirtxml"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// InterfaceName is what an interface of the config, by its place there, is called in the container.
func InterfaceName(n int) string { return "eth" + strconv.Itoa(n) }

// interfaces gives each interface its names on both sides. libvirt 9.0 sets up no filter for one without a name on the host.
func interfaces(s *config.Sandbox) (list []libvirtxml.DomainInterface) {
	for n, i := range s.Interfaces {
		element := libvirtxml.DomainInterface{
			MAC:    &libvirtxml.DomainInterfaceMAC{Address: i.MAC},
			Source: &libvirtxml.DomainInterfaceSource{},
			Target: &libvirtxml.DomainInterfaceTarget{Dev: i.HostDevice()},
			Guest:  &libvirtxml.DomainInterfaceGuest{Dev: InterfaceName(n)},
		}
		if i.Bridge != "" {
			element.Source.Bridge = &libvirtxml.DomainInterfaceSourceBridge{Bridge: i.Bridge}
		} else {
			element.Source.Network = &libvirtxml.DomainInterfaceSourceNetwork{Network: i.Source}
		}
		if i.Filter != "" {
			element.FilterRef = &libvirtxml.DomainInterfaceFilterRef{Filter: i.Filter}
			for _, p := range i.Parameters {
				element.FilterRef.Parameters = append(element.FilterRef.Parameters, libvirtxml.DomainInterfaceFilterParam{Name: p.Name, Value: p.Value})
			}
		}
		list = append(list, element)
	}
	return list
}
