// SPDX-License-Identifier: Apache-2.0

package virt

import (
	"fmt"

	"libvirt.org/go/libvirt"
)

// CheckFilter refuses a network filter that libvirt does not have.
func (c *Connection) CheckFilter(name string) error {
	filter, err := ask(c, c.patience, func() (*libvirt.NWFilter, error) { return c.connect.LookupNWFilterByName(name) })
	if err != nil && isUnreachable(err) {
		return fmt.Errorf("look up network filter %s: %w; %s", name, plain(err), hintRunning("", "virtnwfilterd"))
	}
	if err != nil {
		return fmt.Errorf("libvirt has no network filter %s (%w); virsh -c %s nwfilter-list shows them", name, plain(err),
			c.uri)
	}
	c.leave(filter.Free)
	return nil
}

// IsNetworkActive reports whether a network of libvirt's is switched on. It refuses one that libvirt does not have.
func (c *Connection) IsNetworkActive(name string) (bool, error) {
	network, err := ask(c, c.patience, func() (*libvirt.Network, error) { return c.connect.LookupNetworkByName(name) })
	if err != nil && isUnreachable(err) {
		return false, fmt.Errorf("look up network %s: %w; %s", name, plain(err), hintRunning("", "virtnetworkd"))
	}
	if err != nil {
		return false, fmt.Errorf("libvirt has no network %s (%w); virsh -c %s net-list --all shows them", name, plain(err),
			c.uri)
	}
	defer c.leave(network.Free)
	active, err := ask(c, c.patience, network.IsActive)
	if err != nil {
		return false, fmt.Errorf("look up network %s: %w", name, plain(err))
	}
	return active, nil
}

// NetworkXML returns the description of a network of libvirt's.
func (c *Connection) NetworkXML(name string) (string, error) {
	network, err := ask(c, c.patience, func() (*libvirt.Network, error) { return c.connect.LookupNetworkByName(name) })
	if err != nil {
		return "", fmt.Errorf("look up network %s: %w", name, plain(err))
	}
	defer c.leave(network.Free)
	text, err := ask(c, c.patience, func() (string, error) { return network.GetXMLDesc(0) })
	if err != nil {
		return "", fmt.Errorf("look up network %s: %w", name, plain(err))
	}
	return text, nil
}
