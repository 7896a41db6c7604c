// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/ascii"
	"github.com/virt-sandbox/virt-sandbox/internal/netaddr"
	"github.com/virt-sandbox/virt-sandbox/internal/wellformed"
)

// DefaultNetwork is the libvirt network of an interface that names none.
const DefaultNetwork = "default"

// NetworkTimeout is how long a container that starts may wait for its network.
const NetworkTimeout = 45 * time.Second

// maxInterfaces bounds what one config can make of a host's bridges.
const maxInterfaces = 100

// maxNameServers is how many resolv.conf(5) has room for.
const maxNameServers = 3

// Interface is a network interface of a container, beside loopback: the first is eth0.
type Interface struct {
	Source string // libvirt network; empty where there is a Bridge
	Bridge string // of the host
	MAC    string // in small letters; empty: chosen by create or the first start

	DHCP      bool // has IPv4 addresses and routes from a server
	Addresses []Address
	Routes    []Route
	DNS       []netip.Addr // in place of those that DHCP or the libvirt network has

	Filter     string // libvirt's, nwfilter; empty for none
	Parameters []Variable
}

// Address is one of an interface and the network that it is in.
type Address struct {
	netip.Prefix
	Broadcast netip.Addr // invalid for the network's last, and for IPv6
}

// Route is a network that is reached by a gateway.
type Route struct {
	Destination netip.Prefix
	Gateway     netip.Addr
}

// ParseInterface reads one interface: parts KEY[=VALUE] with commas between them.
func ParseInterface(text string) (Interface, error) {
	var i Interface
	seen := make(map[string]bool)
	for part := range strings.SplitSeq(text, ",") {
		key, _, _ := strings.Cut(part, "=")
		switch key {
		case "address", "route", "dns":
			// Each value once; some may be written in several ways.
		default:
			if seen[key] && !strings.HasPrefix(key, filterPrefix) {
				return Interface{}, fmt.Errorf(msgPartTwice, key)
			}
			seen[key] = true
		}
		if err := i.Set(part); err != nil {
			return Interface{}, err
		}
	}
	if i.Source == "" && i.Bridge == "" {
		i.Source = DefaultNetwork
	}
	return i, i.Check()
}

// filterPrefix begins the parts that are parameters of the filter.
const filterPrefix = "filter."

// Set reads one part KEY[=VALUE] of what ParseInterface reads. A later one replaces an earlier one, or is one more.
func (i *Interface) Set(part string) (err error) {
	key, value, _ := strings.Cut(part, "=")
	switch {
	case part == "dhcp":
		i.DHCP = true
	case key == "source":
		if i.Source = value; value == "" {
			i.Source = DefaultNetwork
		}
		return match(wellformed.IsNetworkName, i.Source, msgNetworkName)
	case key == "bridge":
		i.Bridge = value
		return match(wellformed.IsDevice, value, msgBridge)
	case key == "mac":
		if i.MAC, err = netaddr.ParseMAC(value); err != nil {
			return fmt.Errorf(msgMAC, value)
		}
		return nil
	case key == "address":
		return i.addAddress(value)
	case key == "route":
		return i.addRoute(value)
	case key == "dns":
		return i.addDNS(value)
	case key == "filter":
		i.Filter = value
		return match(wellformed.IsNetworkName, value, msgFilter)
	case strings.HasPrefix(key, filterPrefix):
		return i.addParameter(strings.TrimPrefix(key, filterPrefix), value)
	default:
		return fmt.Errorf(msgInterfacePart, part)
	}
	return nil
}

func (i *Interface) addAddress(value string) error {
	text, broadcast, hasBroadcast := strings.Cut(value, "%")
	prefix, err := netaddr.ParsePrefix(text)
	if err != nil {
		return fmt.Errorf(msgAddress, value)
	}
	if !netaddr.IsHost(prefix) {
		return fmt.Errorf(msgHostAddress, prefix)
	}
	if slices.ContainsFunc(i.Addresses, func(a Address) bool { return a.Addr() == prefix.Addr() }) {
		return fmt.Errorf(msgPartTwice, "address "+prefix.Addr().String())
	}
	address := Address{Prefix: prefix}
	if hasBroadcast {
		if address.Broadcast, err = netip.ParseAddr(broadcast); err != nil || !address.Broadcast.Is4() ||
			!prefix.Contains(address.Broadcast) {
			return fmt.Errorf(msgBroadcast, broadcast, prefix.Masked())
		}
	}
	i.Addresses = append(i.Addresses, address)
	return nil
}

func (i *Interface) addRoute(value string) error {
	text, gateway, _ := strings.Cut(value, "%")
	prefix, err := netaddr.ParsePrefix(text)
	if err != nil {
		return fmt.Errorf(msgRoute, value)
	}
	if prefix != prefix.Masked() {
		return fmt.Errorf(msgRouteBits, prefix, prefix.Masked())
	}
	route := Route{Destination: prefix}
	route.Gateway, err = netip.ParseAddr(gateway)
	if err != nil || route.Gateway.Zone() != "" || route.Gateway.Is4() != prefix.Addr().Is4() {
		return fmt.Errorf(msgRoute, value)
	}
	if slices.ContainsFunc(i.Routes, func(r Route) bool { return r.Destination == prefix }) {
		return fmt.Errorf(msgPartTwice, "route "+prefix.String())
	}
	i.Routes = append(i.Routes, route)
	return nil
}

func (i *Interface) addDNS(value string) error {
	server, err := netip.ParseAddr(value)
	if err != nil || server.Zone() != "" || server.Is4In6() || server.IsUnspecified() || server.IsMulticast() {
		return fmt.Errorf(msgDNS, value)
	}
	if slices.Contains(i.DNS, server) {
		return fmt.Errorf(msgPartTwice, "dns "+server.String())
	}
	if len(i.DNS) == maxNameServers {
		return fmt.Errorf(msgDNSCount, maxNameServers)
	}
	i.DNS = append(i.DNS, server)
	return nil
}

// addParameter adds one of the filter; libvirt has their names in capitals, and several values of one are a list.
func (i *Interface) addParameter(name, value string) error {
	name = strings.ToUpper(name)
	if !ascii.Consists(name, "_") || !ascii.Consists(value, "_.:") {
		return fmt.Errorf(msgFilterParameter, filterPrefix+name+"="+value)
	}
	if slices.Contains(i.Parameters, Variable{name, value}) {
		return fmt.Errorf(msgPartTwice, filterPrefix+name+"="+value)
	}
	i.Parameters = append(i.Parameters, Variable{name, value})
	return nil
}

// Check tells what is wrong with parts that are each right by themselves.
func (i *Interface) Check() error {
	if i.Source != "" && i.Bridge != "" {
		return errors.New(msgSourceAndBridge)
	}
	if len(i.Parameters) > 0 && i.Filter == "" {
		return errors.New(msgFilterMissing)
	}
	for _, a := range i.Addresses {
		if i.DHCP && a.Addr().Is4() {
			return fmt.Errorf(msgDHCPAndStatic, "address "+a.String())
		}
	}
	for _, r := range i.Routes {
		if i.DHCP && r.Gateway.Is4() {
			return fmt.Errorf(msgDHCPAndStatic, "route "+r.String())
		}
		inNetwork := func(a Address) bool { return a.Contains(r.Gateway) && a.Addr() != r.Gateway }
		if !slices.ContainsFunc(i.Addresses, inNetwork) && !r.Gateway.IsLinkLocalUnicast() {
			return fmt.Errorf(msgGateway, r.Gateway)
		}
	}
	return nil
}

// CheckInterfaces tells what is wrong with interfaces that are each right by themselves.
func CheckInterfaces(mode NetworkMode, interfaces []Interface) error {
	switch {
	case mode == NetworkHost && len(interfaces) > 0:
		return errors.New(msgHostInterface)
	case len(interfaces) > maxInterfaces:
		return fmt.Errorf(msgInterfaces, maxInterfaces)
	}
	seen := make(map[string]bool)
	for _, i := range interfaces {
		if seen[i.MAC] && i.MAC != "" {
			return fmt.Errorf(msgSameMAC, i.MAC)
		}
		seen[i.MAC] = true
	}
	return nil
}

// String returns the text that ParseInterface reads as the same.
func (i Interface) String() string {
	var parts []string
	add := func(key, value string) {
		if value != "" {
			parts = append(parts, key+"="+value)
		}
	}
	if i.DHCP {
		parts = append(parts, "dhcp")
	}
	add("source", i.Source)
	add("bridge", i.Bridge)
	add("mac", i.MAC)
	for _, a := range i.Addresses {
		add("address", a.String())
	}
	for _, r := range i.Routes {
		add("route", r.String())
	}
	for _, server := range i.DNS {
		add("dns", server.String())
	}
	add("filter", i.Filter)
	for _, p := range i.Parameters {
		add(filterPrefix+p.Name, p.Value)
	}
	return strings.Join(parts, ",")
}

// String returns IP/PREFIX[%BROADCAST].
func (a Address) String() string {
	if a.Broadcast.IsValid() {
		return a.Prefix.String() + "%" + a.Broadcast.String()
	}
	return a.Prefix.String()
}

// String returns NETWORK/PREFIX%GATEWAY.
func (r Route) String() string { return r.Destination.String() + "%" + r.Gateway.String() }

// HostDevice is the host's end of the interface, named so that it cannot be another's; "" as long as it has no MAC.
func (i Interface) HostDevice() string {
	if i.MAC == "" {
		return ""
	}
	return "sb" + strings.ReplaceAll(i.MAC, ":", "")
}

// HasMACs reports whether every interface has one.
func (s *Sandbox) HasMACs() bool {
	return !slices.ContainsFunc(s.Interfaces, func(i Interface) bool { return i.MAC == "" })
}
