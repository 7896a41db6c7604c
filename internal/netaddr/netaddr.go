// SPDX-License-Identifier: Apache-2.0

// Package netaddr reads the addresses of network interfaces as configs write them. In: a text. Out: the address, or an
// error that says only that it is none. Package config calls it.
package netaddr

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
)

// ParsePrefix reads IP[/PREFIX]; where that is left out it is 24, and 64 for IPv6, as of most networks.
func ParsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		prefix, err := netip.ParsePrefix(text)
		if err == nil && prefix.Addr().Is4In6() {
			err = errors.New("IPv4 in IPv6")
		}
		return prefix, err
	}
	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" || address.Is4In6() {
		return netip.Prefix{}, errors.New("no address")
	}
	if address.Is4() {
		return netip.PrefixFrom(address, 24), nil
	}
	return netip.PrefixFrom(address, 64), nil
}

// IsHost reports whether an interface can have an address: not what stands for a network or for many hosts.
func IsHost(p netip.Prefix) bool {
	a := p.Addr()
	if a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || p.Bits() == 0 {
		return false
	}
	if !a.Is4() || p.Bits() >= 31 {
		return true
	}
	return a != p.Masked().Addr() && p.Contains(a.Next())
}

// ParseMAC reads the address of one interface. libvirt keeps those that begin with fe for itself.
func ParseMAC(text string) (string, error) {
	text = strings.ToLower(text)
	mac, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(mac) != 6 || mac[0]&1 != 0 || mac[0] == 0xfe || text == "00:00:00:00:00:00" ||
		text != formatMAC(mac) {
		return "", errors.New("no MAC address")
	}
	return text, nil
}

// formatMAC is not net.HardwareAddr's, for the generator does without that package.
func formatMAC(mac []byte) string {
	var pairs []string
	for _, b := range mac {
		pairs = append(pairs, hex.EncodeToString([]byte{b}))
	}
	return strings.Join(pairs, ":")
}
