// SPDX-License-Identifier: Apache-2.0

package hostnet

import (
	"context"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// Of a port of a bridge (linux/if_link.h, linux/if_bridge.h).
const (
	bridgePortState = 1 // IFLA_BRPORT_STATE
	forwarding      = 3 // BR_STATE_FORWARDING
)

// AwaitForwarding waits until the bridges pass on what the interfaces send. With a spanning tree, as libvirt's
// networks have it, a bridge listens and learns for some seconds first; a service would be up and not be reached.
func AwaitForwarding(ctx context.Context, interfaces []config.Interface) error {
	for _, i := range interfaces {
		for {
			link, err := netlink.LinkByName(i.HostDevice())
			if err != nil {
				break // An interface without an end on the host.
			}
			state, err := portState(link.Attrs().Index)
			if err != nil {
				return err
			}
			if state == forwarding || state < 0 {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("the bridge passes on nothing from %s: its spanning tree has not come to an end", i.HostDevice())
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

// portState returns the state of an interface in its bridge; -1 for one in none.
func portState(index int) (int, error) {
	request := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP)
	request.AddData(nl.NewIfInfomsg(unix.AF_BRIDGE))
	messages, err := request.Execute(unix.NETLINK_ROUTE, 0)
	if err != nil {
		return 0, fmt.Errorf("ask for ports of bridges: %w", err)
	}
	for _, message := range messages {
		about := nl.DeserializeIfInfomsg(message)
		if int(about.Index) != index {
			continue
		}
		attributes, err := nl.ParseRouteAttr(message[about.Len():])
		if err != nil {
			return 0, fmt.Errorf("ask for ports of bridges: %w", err)
		}
		for _, a := range attributes {
			if a.Attr.Type != unix.IFLA_PROTINFO|unix.NLA_F_NESTED {
				continue
			}
			port, err := nl.ParseRouteAttr(a.Value)
			if err != nil {
				return 0, fmt.Errorf("ask for ports of bridges: %w", err)
			}
			for _, p := range port {
				if p.Attr.Type == bridgePortState && len(p.Value) > 0 {
					return int(p.Value[0]), nil
				}
			}
		}
	}
	return -1, nil
}
