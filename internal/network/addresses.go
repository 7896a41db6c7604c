// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
)

// Bounds of what is read of a network in which root inside makes as many addresses as it likes.
const (
	maxAddresses = 64
	maxLooked    = 10_000 // of all kinds
)

// Addresses returns those of all interfaces that others can reach: not of loopback, and not of a link only. Beyond
// maxAddresses it returns no more of them.
func Addresses(process *os.File) (addresses []netip.Prefix, err error) {
	err = namespace.InNetworkOf(process, func() error {
		looked := 0
		request := nl.NewNetlinkRequest(unix.RTM_GETADDR, unix.NLM_F_DUMP)
		request.AddData(nl.NewIfAddrmsg(unix.AF_UNSPEC))
		err := request.ExecuteIter(unix.NETLINK_ROUTE, unix.RTM_NEWADDR, func(message []byte) bool {
			if a, ok := addressOf(message); ok && a.Addr().IsGlobalUnicast() {
				addresses = append(addresses, a)
			}
			looked++
			return len(addresses) < maxAddresses && looked < maxLooked
		})
		// It changes while it is read: what was read is as good as any.
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
			return fmt.Errorf("list the container's addresses: %w", err)
		}
		return nil
	})
	return addresses, err
}

// addressOf reads a message of the kernel's about an address; false for one without.
func addressOf(message []byte) (netip.Prefix, bool) {
	if len(message) < unix.SizeofIfAddrmsg {
		return netip.Prefix{}, false
	}
	about := nl.DeserializeIfAddrmsg(message)
	attributes, err := nl.ParseRouteAttr(message[about.Len():])
	if err != nil {
		return netip.Prefix{}, false
	}
	var found, local netip.Addr
	for _, a := range attributes {
		switch a.Attr.Type {
		case unix.IFA_ADDRESS:
			found, _ = netip.AddrFromSlice(a.Value)
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(a.Value)
		}
	}
	// The other one is that of the peer.
	if local.IsValid() {
		found = local
	}
	prefix, err := found.Unmap().Prefix(int(about.Prefixlen))
	return netip.PrefixFrom(found.Unmap(), int(about.Prefixlen)), err == nil && prefix.IsValid()
}
