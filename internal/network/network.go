// SPDX-License-Identifier: Apache-2.0

// Package network sets up the network of a container, and keeps its leases. In: what each interface shall have, and a
// process of the container, whose network namespace a thread enters; out: addresses, routes, resolv.conf, and leases
// that are renewed as long as the container runs. The helper and its monitor call it, from outside: in there nobody
// needs a right for it, and nobody can get at what does it. In a virtual machine the first program calls it, for
// itself.
package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
)

// Interface is what one interface shall have.
type Interface struct {
	Name      string // in the container, eth0
	DHCP      bool
	Addresses []Address    `json:",omitempty"`
	Routes    []Route      `json:",omitempty"`
	DNS       []netip.Addr `json:",omitempty"` // in place of those that a lease has
}

// Address is one of an interface, with the network that it is in.
type Address struct {
	Prefix    netip.Prefix
	Broadcast netip.Addr // invalid for the network's last, and for IPv6
}

// Route is a network that is reached by a gateway; without one it is on the link itself.
type Route struct {
	Destination netip.Prefix
	Gateway     netip.Addr
}

// dadLimit is how long the kernel may take to find out whether another host has an IPv6 address (RFC 4862, 5.4).
const dadLimit = 5 * time.Second

// SwitchOn switches the interfaces of a process's network on, which then have a carrier.
func SwitchOn(process *os.File, interfaces []Interface) error {
	return namespace.InNetworkOf(process, func() error {
		for _, i := range interfaces {
			link, err := netlink.LinkByName(i.Name)
			if err == nil && i.isFixed() {
				err = ignoreOthers(link)
			}
			if err == nil {
				err = netlink.LinkSetUp(link)
			}
			if err != nil {
				return fmt.Errorf("switch %s on: %w", i.Name, err)
			}
		}
		return nil
	})
}

// configure gives an interface what is fixed; of the namespace that this thread is in.
func configure(ctx context.Context, i Interface) error {
	link, err := netlink.LinkByName(i.Name)
	if err != nil {
		return fmt.Errorf("%s: %w", i.Name, err)
	}
	for _, a := range i.Addresses {
		if err := netlink.AddrReplace(link, kernelAddress(a)); err != nil {
			return fmt.Errorf("give %s the address %s: %w", i.Name, a.Prefix, err)
		}
	}
	if err := awaitUnique(ctx, link, i); err != nil {
		return err
	}
	for _, r := range i.Routes {
		if err := netlink.RouteReplace(kernelRoute(link, r)); err != nil {
			return fmt.Errorf("give %s the route to %s by %s: %w", i.Name, r.Destination, r.Gateway, err)
		}
	}
	return nil
}

// awaitUnique waits until services can use the fixed IPv6 addresses.
func awaitUnique(ctx context.Context, link netlink.Link, i Interface) error {
	for deadline := time.Now().Add(dadLimit); ; {
		list, err := netlink.AddrList(link, netlink.FAMILY_V6)
		if err != nil {
			return fmt.Errorf("list addresses of %s: %w", i.Name, err)
		}
		tentative := false
		for _, wanted := range i.Addresses {
			for _, a := range list {
				if !a.IP.Equal(wanted.Prefix.Addr().AsSlice()) {
					continue
				}
				if a.Flags&unix.IFA_F_DADFAILED != 0 {
					return fmt.Errorf("%s: another host has the address %s", i.Name, wanted.Prefix.Addr())
				}
				tentative = tentative || a.Flags&unix.IFA_F_TENTATIVE != 0
			}
		}
		if !tentative {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf(
				"%s: the kernel does not find its IPv6 addresses usable within %v; is its bridge up?",
				i.Name,
				dadLimit,
			)
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

func kernelAddress(a Address) *netlink.Addr {
	address := &netlink.Addr{IPNet: ipNet(a.Prefix)}
	if a.Broadcast.IsValid() {
		address.Broadcast = a.Broadcast.AsSlice()
	}
	return address
}

func kernelRoute(link netlink.Link, r Route) *netlink.Route {
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(r.Destination)}
	if r.Gateway.IsValid() {
		route.Gw = r.Gateway.AsSlice()
	} else {
		route.Scope = netlink.SCOPE_LINK
	}
	return route
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// isGone reports whether the kernel or the library says that there is no such interface.
func isGone(err error) bool {
	var notFound netlink.LinkNotFoundError
	return errors.As(err, &notFound) || errors.Is(err, unix.ENODEV)
}

// sleep waits, and reports whether the context still wants to.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
