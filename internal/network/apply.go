// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// leaseMetric is the priority of an interface's routes by a lease: after those of the config, and of two interfaces the
// first is preferred.
const leaseMetric = 100

// apply takes what an old lease gave from an interface and gives it what a new one does; nil for none. It asks the
// kernel to take the address away by itself when the lease ends, should nobody live to do so.
func (p port) apply(old, lease *Lease) error {
	link, err := netlink.LinkByName(p.name)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	if old != nil {
		if err := p.remove(link, old, lease); err != nil {
			return err
		}
	}
	if lease == nil {
		return nil
	}
	if lease.MTU != 0 && lease.MTU < link.Attrs().MTU {
		if err := netlink.LinkSetMTU(link, lease.MTU); err != nil {
			return fmt.Errorf("%s: set MTU %d: %w", p.name, lease.MTU, err)
		}
	}
	address := kernelAddress(lease.Address)
	address.ValidLft = lease.left(sinceBoot())
	address.PreferedLft = address.ValidLft
	if err := netlink.AddrReplace(link, address); err != nil {
		return fmt.Errorf("%s: set address %s: %w", p.name, lease.Address.Prefix, err)
	}
	for _, r := range lease.Routes {
		if err := netlink.RouteReplace(p.route(link, lease, r)); err != nil {
			return fmt.Errorf("%s: set route to %s: %w", p.name, r.Destination, err)
		}
	}
	return nil
}

// remove takes away what the old lease gave and the new one does not.
func (p port) remove(link netlink.Link, old, lease *Lease) error {
	for _, r := range old.Routes {
		if lease != nil && lease.Address == old.Address && slices.Contains(lease.Routes, r) {
			continue
		}
		if err := netlink.RouteDel(p.route(link, old, r)); err != nil && !isAbsent(err) {
			return fmt.Errorf("%s: remove route to %s: %w", p.name, r.Destination, err)
		}
	}
	if lease != nil && lease.Address.Prefix == old.Address.Prefix {
		return nil
	}
	if err := netlink.AddrDel(link, kernelAddress(old.Address)); err != nil && !isAbsent(err) {
		return fmt.Errorf("%s: remove address %s: %w", p.name, old.Address.Prefix, err)
	}
	return nil
}

func (p port) route(link netlink.Link, lease *Lease, r Route) *netlink.Route {
	route := kernelRoute(link, r)
	route.Protocol, route.Priority = unix.RTPROT_DHCP, leaseMetric+link.Attrs().Index
	if r.Gateway.IsValid() && !lease.Address.Prefix.Contains(r.Gateway) {
		route.Flags = int(netlink.FLAG_ONLINK)
	}
	return route
}

// isAbsent tells of what is not there any more: who lives in the container may take things away, and so does the
// kernel.
func isAbsent(err error) bool {
	return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, fs.ErrNotExist) ||
		errors.Is(err, unix.ENODEV)
}

// left returns the seconds that a lease still lasts, as the kernel counts them: 0 for no end.
func (l *Lease) left(now time.Duration) int {
	if l.Expire == math.MaxInt64 {
		return 0
	}
	return max(1, int((l.Expire-(now-l.Obtained))/time.Second))
}
