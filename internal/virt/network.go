// SPDX-License-Identifier: Apache-2.0

package virt

import "fmt"

// CheckFilter refuses a network filter that libvirt does not have.
func (c *Connection) CheckFilter(name string) error {
	filter, err := c.connect.LookupNWFilterByName(name)
	if err != nil && isUnreachable(err) {
		return fmt.Errorf("look up network filter %s: %w; %s", name, plain(err), hintRunning("", "virtnwfilterd"))
	}
	if err != nil {
		return fmt.Errorf("libvirt has no network filter %s (%w); virsh -c %s nwfilter-list shows them", name, plain(err),
			c.uri)
	}
	_ = filter.Free()
	return nil
}

// IsNetworkActive reports whether a network of libvirt's is switched on. It refuses one that libvirt does not have.
func (c *Connection) IsNetworkActive(name string) (bool, error) {
	network, err := c.connect.LookupNetworkByName(name)
	if err != nil && isUnreachable(err) {
		return false, fmt.Errorf("look up network %s: %w; %s", name, plain(err), hintRunning("", "virtnetworkd"))
	}
	if err != nil {
		return false, fmt.Errorf("libvirt has no network %s (%w); virsh -c %s net-list --all shows them", name, plain(err),
			c.uri)
	}
	defer network.Free()
	active, err := network.IsActive()
	if err != nil {
		return false, fmt.Errorf("look up network %s: %w", name, plain(err))
	}
	return active, nil
}

// NetworkXML returns the description of a network of libvirt's.
func (c *Connection) NetworkXML(name string) (string, error) {
	network, err := c.connect.LookupNetworkByName(name)
	if err != nil {
		return "", fmt.Errorf("look up network %s: %w", name, plain(err))
	}
	defer network.Free()
	text, err := network.GetXMLDesc(0)
	if err != nil {
		return "", fmt.Errorf("look up network %s: %w", name, plain(err))
	}
	return text, nil
}
