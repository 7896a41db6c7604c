// SPDX-License-Identifier: Apache-2.0

// Package nic is the description of a network interface, as configs and command lines have it. In: the text of
// interface=. Out: the interface, or what is wrong with it. Package config calls it.
package nic

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/ascii"
	"github.com/virt-sandbox/virt-sandbox/internal/netaddr"
)

// What can be wrong, as a sentence that says what to do.
const (
	msgInterfacePart = "%q is not dhcp, nor one of source=, bridge=, mac=, address=, route=, dns=, filter= and " +
		"filter.PARAMETER="
	msgPartTwice       = "%s is given twice"
	msgSourceAndBridge = "source= and bridge= exclude each other; leave one out"
	msgNetworkName     = "%q is not the name of a libvirt network"
	msgBridge          = "%q is not the name of a bridge, such as br0"
	msgMAC             = "%q is not the MAC address of an interface, such as 52:54:00:12:34:56"
	msgAddress         = "%q is not IP[/PREFIX][%%BROADCAST], such as 192.168.122.10/24 or fd00::10/64"
	msgHostAddress     = "%s is not an address that an interface can have"
	msgBroadcast       = "broadcast address %q is not an IPv4 address in %s"
	msgRoute           = "%q is not NETWORK[/PREFIX]%%GATEWAY, such as 0.0.0.0/0%%192.168.122.1 or ::/0%%fd00::1"
	msgRouteBits       = "%s has bits behind its prefix; write %s"
	msgGateway         = "gateway %s is in the network of no address of this interface; give an address= there"
	msgDHCPAndStatic   = "dhcp excludes the IPv4 %s; leave one out, or give it an interface of its own"
	msgDNS             = "%q is not the address of a name server"
	msgDNSCount        = "there are more than %d name servers; resolv.conf(5) has no room for them"
	msgFilter          = "%q is not the name of a libvirt network filter"
	msgFilterParameter = "%q is not filter.PARAMETER=VALUE, such as filter.IP=192.168.122.10"
	msgFilterMissing   = "parameters of a filter need filter=NAME"
)

// DefaultNetwork is the libvirt network of an interface that names none.
const DefaultNetwork = "default"

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
	Parameters []Parameter
}

// Parameter is one of a filter.
type Parameter struct{ Name, Value string }

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

// Parse reads one interface: parts KEY[=VALUE] with commas between them.
func Parse(text string) (Interface, error) {
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

// Set reads one part KEY[=VALUE] of what Parse reads. A later one replaces an earlier one, or is one more.
func (i *Interface) Set(part string) (err error) {
	key, value, _ := strings.Cut(part, "=")
	switch {
	case part == "dhcp":
		i.DHCP = true
	case key == "source":
		if i.Source = value; value == "" {
			i.Source = DefaultNetwork
		}
		return match(isNetworkName, i.Source, msgNetworkName)
	case key == "bridge":
		i.Bridge = value
		return match(isDevice, value, msgBridge)
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
		return match(isNetworkName, value, msgFilter)
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
	if slices.Contains(i.Parameters, Parameter{name, value}) {
		return fmt.Errorf(msgPartTwice, filterPrefix+name+"="+value)
	}
	i.Parameters = append(i.Parameters, Parameter{name, value})
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

// String returns the text that Parse reads as the same.
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

func match(is func(string) bool, text, message string) error {
	if !is(text) {
		return fmt.Errorf(message, text)
	}
	return nil
}

// maxNetworkName is the longest name of a libvirt network or filter, which also is that of a file.
const maxNetworkName = 200

// isNetworkName tells of names of libvirt's networks and filters that a part of an interface can hold.
func isNetworkName(text string) bool {
	return len(text) <= maxNetworkName && ascii.Begins(text, "_") && ascii.Consists(text, "_.:+@-")
}

// isDevice tells of names of network interfaces, of which the kernel takes 15 characters.
func isDevice(text string) bool {
	return len(text) <= 15 && ascii.Begins(text, "_") && ascii.Consists(text, "_.-")
}
