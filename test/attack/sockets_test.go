// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// socketAttempts ask for sockets by which the host is set up, or for which it loads what few people look after.
func socketAttempts() []attempt {
	protocols := map[string]struct {
		number int
		tries  string
	}{
		"crypto":    {unix.NETLINK_CRYPTO, "choose the host's ciphers"},
		"rdma":      {unix.NETLINK_RDMA, "set up RDMA devices of the host"},
		"iscsi":     {unix.NETLINK_ISCSI, "speak to the host's iSCSI"},
		"scsi":      {unix.NETLINK_SCSITRANSPORT, "speak to the host's SCSI"},
		"connector": {unix.NETLINK_CONNECTOR, "hear of the host's processes"},
		"ecryptfs":  {unix.NETLINK_ECRYPTFS, "be the host's keeper of encrypted files"},
	}
	var list []attempt
	for _, name := range slices.Sorted(maps.Keys(protocols)) {
		p := protocols[name]
		list = append(list, attempt{name: "netlink-" + name, tries: p.tries + " by netlink", fast: name == "crypto",
			inside: hasSocket(unix.AF_NETLINK, unix.SOCK_RAW, p.number), refusals: []error{unix.EPROTONOSUPPORT}})
	}
	families := map[string]int{
		"alg": unix.AF_ALG, "rds": unix.AF_RDS, "tipc": unix.AF_TIPC, "x25": unix.AF_X25, "llc": unix.AF_LLC,
		"rxrpc": unix.AF_RXRPC, "phonet": unix.AF_PHONET, "nfc": unix.AF_NFC, "atm": unix.AF_ATMPVC,
		"ieee802154": unix.AF_IEEE802154, "infiniband": unix.AF_IB,
	}
	for _, name := range slices.Sorted(maps.Keys(families)) {
		family := families[name]
		list = append(list, attempt{name: "family-" + name, tries: "have the host load the protocols of " + name,
			inside: func(f *facts) error {
				// What it is the kernel asks first, and so the answer of each is looked at.
				for _, kind := range []int{unix.SOCK_SEQPACKET, unix.SOCK_DGRAM, unix.SOCK_STREAM, unix.SOCK_RAW} {
					if err := hasSocket(family, kind, 0)(f); err == nil || !isRefusal(err) {
						return err
					}
				}
				return unix.EAFNOSUPPORT
			}})
	}
	return list
}

func isRefusal(err error) bool { return slices.Contains(usual(), err) }

// hasSocket asks for a socket.
func hasSocket(family, kind, protocol int) func(*facts) error {
	return func(*facts) error {
		fd, err := unix.Socket(family, kind, protocol)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
}
