// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/vishvananda/netlink"
)

// isFixed reports whether the config says all that the interface has.
func (i Interface) isFixed() bool { return len(i.Addresses) > 0 && !i.DHCP }

// ignoreOthers keeps a fixed interface to what the config says: whoever sends on its network could give it addresses,
// routes and name servers by router advertisements (RFC 4861). What came before is forgotten.
// Preconditions: this thread is in the interface's network namespace, of which /proc/sys/net is then.
func ignoreOthers(link netlink.Link) error {
	for _, setting := range []string{"accept_ra", "accept_redirects"} {
		file := fmt.Sprintf("/proc/sys/net/ipv6/conf/%s/%s", link.Attrs().Name, setting)
		if err := os.WriteFile(file, []byte("0"), 0); err != nil && !errors.Is(err, fs.ErrNotExist) { // without IPv6
			return fmt.Errorf("keep it from other routers: %w", err)
		}
	}
	return netlink.LinkSetDown(link)
}
