// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
)

// What is told of a container's addresses is bounded, however many root inside has made, and is the addresses that
// others reach.
func TestAddresses(t *testing.T) {
	process := newNetwork(t)
	add := func(text string) {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			t.Fatal(err)
		}
		address, err := netlink.ParseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.AddrAdd(link, address); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	within(t, process, func() error {
		add("192.0.2.7/24")
		add("2001:db8::7/64")
		add("169.254.3.4/16")
		return nil
	})
	got, err := Addresses(process)
	want := []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24"), netip.MustParsePrefix("2001:db8::7/64")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	within(t, process, func() error {
		for i := range 1000 {
			add(fmt.Sprintf("10.%d.%d.1/32", i/250, i%250))
		}
		return nil
	})
	if got, err := Addresses(process); err != nil || len(got) != maxAddresses {
		t.Errorf("of a thousand: got %d, %v", len(got), err)
	}
}
