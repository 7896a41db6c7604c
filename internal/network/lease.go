// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/virt-sandbox/virt-sandbox/internal/ascii"
)

// Lease is what a DHCP server has let an interface have (RFC 2131).
type Lease struct {
	Address Address
	Server  netip.Addr
	Routes  []Route      `json:",omitempty"`
	DNS     []netip.Addr `json:",omitempty"`
	Search  []string     `json:",omitempty"`
	MTU     int          `json:",omitempty"`

	Obtained              time.Duration // since the host's boot
	Renew, Rebind, Expire time.Duration // after that
}

// Bounds of what a server may say, so that none keeps this program or the kernel busy.
const (
	shortestLease = 10 * time.Second
	smallestMTU   = 576 // RFC 791
	mostRoutes    = 64
	mostServers   = 3 // resolv.conf(5)
	mostDomains   = 6
)

// forever is the lease time that does not end (RFC 2131, 3.3).
const forever = math.MaxUint32 * time.Second

// parseLease reads a server's acknowledgement, of which nothing is believed that makes no sense.
func parseLease(ack *dhcpv4.DHCPv4, now time.Duration) (*Lease, error) {
	address, ok := netip.AddrFromSlice(ack.YourIPAddr.To4())
	if !ok || !isUnicast(address) {
		return nil, fmt.Errorf("the server gives %s, which is no address for an interface", ack.YourIPAddr)
	}
	mask := ack.SubnetMask()
	if mask == nil {
		mask = net.IP(address.AsSlice()).DefaultMask()
	}
	ones, bits := mask.Size()
	if ones == 0 || bits != 32 {
		return nil, errors.New("the server gives a network mask that is none")
	}
	lease := &Lease{Address: Address{Prefix: netip.PrefixFrom(address, ones)}, Obtained: now}
	lease.Server, _ = netip.AddrFromSlice(ack.ServerIdentifier().To4())
	if broadcast, ok := netip.AddrFromSlice(ack.BroadcastAddress().To4()); ok && lease.Address.Prefix.Contains(broadcast) {
		lease.Address.Broadcast = broadcast
	}
	lease.Routes = routesOf(ack)
	for _, ip := range ack.DNS() {
		server, ok := netip.AddrFromSlice(ip.To4())
		if ok && isUnicast(server) && len(lease.DNS) < mostServers && !slices.Contains(lease.DNS, server) {
			lease.DNS = append(lease.DNS, server)
		}
	}
	lease.Search = domainsOf(ack)
	if data := ack.Options.Get(dhcpv4.OptionInterfaceMTU); len(data) == 2 {
		if mtu := int(data[0])<<8 | int(data[1]); mtu >= smallestMTU {
			lease.MTU = mtu
		}
	}
	return lease, lease.setTimes(ack)
}

func (l *Lease) setTimes(ack *dhcpv4.DHCPv4) error {
	time := ack.IPAddressLeaseTime(0)
	if time == 0 {
		return errors.New("the server does not say how long the lease lasts")
	}
	l.Expire = max(time, shortestLease)
	if time >= forever {
		l.Renew, l.Rebind, l.Expire = math.MaxInt64, math.MaxInt64, math.MaxInt64
		return nil
	}
	l.Renew, l.Rebind = l.Expire/2, l.Expire/8*7
	renew, rebind := ack.IPAddressRenewalTime(l.Renew), ack.IPAddressRebindingTime(l.Rebind)
	if renew >= shortestLease/2 && renew < rebind && rebind < l.Expire {
		l.Renew, l.Rebind = renew, rebind
	}
	return nil
}

// routesOf returns the classless routes, and only where there are none the router (RFC 3442).
func routesOf(ack *dhcpv4.DHCPv4) (routes []Route) {
	if list := ack.ClasslessStaticRoute(); len(list) > 0 {
		for _, r := range list[:min(len(list), mostRoutes)] {
			destination, ok := netip.AddrFromSlice(r.Dest.IP.To4())
			ones, bits := r.Dest.Mask.Size()
			gateway, gatewayOK := netip.AddrFromSlice(r.Router.To4())
			if !ok || bits != 32 || !gatewayOK {
				continue
			}
			route := Route{Destination: netip.PrefixFrom(destination, ones).Masked()}
			switch {
			case isUnicast(gateway):
				route.Gateway = gateway
			case !gateway.IsUnspecified():
				continue
			}
			routes = append(routes, route)
		}
		return routes
	}
	for _, ip := range ack.Router() {
		if router, ok := netip.AddrFromSlice(ip.To4()); ok && isUnicast(router) {
			return []Route{{netip.PrefixFrom(netip.IPv4Unspecified(), 0), router}}
		}
	}
	return nil
}

// domainsOf returns the domains to search, of those that are a name each.
func domainsOf(ack *dhcpv4.DHCPv4) (domains []string) {
	list := []string{ack.DomainName()}
	if search := ack.DomainSearch(); search != nil && len(search.Labels) > 0 {
		list = search.Labels
	}
	for _, domain := range list {
		if isDomain(domain) && len(domains) < mostDomains && !slices.Contains(domains, domain) {
			domains = append(domains, domain)
		}
	}
	return domains
}

func isUnicast(a netip.Addr) bool { return a.Is4() && a.IsGlobalUnicast() && a.As4()[0] < 224 }

// isDomain tells of names of hosts and domains (RFC 1123), with the underscore that some have.
func isDomain(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !ascii.IsAlphanumeric(c) && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}
