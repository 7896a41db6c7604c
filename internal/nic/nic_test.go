// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

func TestParse(t *testing.T) {
	address := func(prefix string) Address { return Address{Prefix: netip.MustParsePrefix(prefix)} }
	route := func(destination, gateway string) Route {
		return Route{netip.MustParsePrefix(destination), netip.MustParseAddr(gateway)}
	}
	cases := []struct {
		option string
		want   Interface
		back   string // what String gives
	}{
		{"dhcp", Interface{Source: "default", DHCP: true}, "dhcp,source=default"},
		{"source", Interface{Source: "default"}, "source=default"},
		{"source=", Interface{Source: "default"}, "source=default"},
		{"source=lab-1", Interface{Source: "lab-1"}, "source=lab-1"},
		{"source=default,dhcp", Interface{Source: "default", DHCP: true}, "dhcp,source=default"},
		{
			"bridge=br0,mac=52:54:00:AB:cd:01",
			Interface{Bridge: "br0", MAC: "52:54:00:ab:cd:01"},
			"bridge=br0,mac=52:54:00:ab:cd:01",
		},
		{"address=192.168.122.10", Interface{Source: "default", Addresses: []Address{address("192.168.122.10/24")}},
			"source=default,address=192.168.122.10/24"},
		{"source=n,address=fd00:0:0::10", Interface{Source: "n", Addresses: []Address{address("fd00::10/64")}},
			"source=n,address=fd00::10/64"},
		{"address=10.0.0.1/31,address=10.9.9.9/32,address=2001:db8::1/128",
			Interface{
				Source:    "default",
				Addresses: []Address{address("10.0.0.1/31"), address("10.9.9.9/32"), address("2001:db8::1/128")},
			},
			"source=default,address=10.0.0.1/31,address=10.9.9.9/32,address=2001:db8::1/128"},
		{"address=10.0.0.1/8%10.255.255.255", Interface{Source: "default", Addresses: []Address{
			{
				netip.MustParsePrefix("10.0.0.1/8"),
				netip.MustParseAddr("10.255.255.255"),
			}}}, "source=default,address=10.0.0.1/8%10.255.255.255"},
		{"address=10.0.0.9/24,route=0.0.0.0/0%10.0.0.1,route=10.3.0.0%10.0.0.2", Interface{Source: "default",
			Addresses: []Address{address("10.0.0.9/24")}, Routes: []Route{route("0.0.0.0/0", "10.0.0.1"), route("10.3.0.0/24",
				"10.0.0.2")}},
			"source=default,address=10.0.0.9/24,route=0.0.0.0/0%10.0.0.1,route=10.3.0.0/24%10.0.0.2"},
		{"dhcp,address=fd00::9,route=::/0%fd00::1,dns=fd00::1", Interface{Source: "default", DHCP: true,
			Addresses: []Address{
				address("fd00::9/64"),
			}, Routes: []Route{route("::/0", "fd00::1")}, DNS: []netip.Addr{netip.MustParseAddr("fd00::1")}},
			"dhcp,source=default,address=fd00::9/64,route=::/0%fd00::1,dns=fd00::1"},
		{"route=fd01::/48%fe80::1", Interface{Source: "default", Routes: []Route{route("fd01::/48", "fe80::1")}},
			"source=default,route=fd01::/48%fe80::1"},
		{"filter=clean-traffic,filter.ip=10.0.0.1,filter.IP=10.0.0.2,filter.DHCPSERVER=10.0.0.3",
			Interface{Source: "default", Filter: "clean-traffic", Parameters: []Parameter{{"IP", "10.0.0.1"}, {"IP",
				"10.0.0.2"}, {"DHCPSERVER", "10.0.0.3"}}},
			"source=default,filter=clean-traffic,filter.IP=10.0.0.1,filter.IP=10.0.0.2,filter.DHCPSERVER=10.0.0.3"},
	}
	for _, c := range cases {
		got, err := Parse(c.option)
		if err != nil || !reflect.DeepEqual(got, c.want) || got.String() != c.back {
			t.Errorf("%q: got %+v (%s), %v; want %+v (%s)", c.option, got, got, err, c.want, c.back)
		}
	}
}

// TestParseErrors has each wrong form with all that is said of it.
func TestParseErrors(t *testing.T) {
	part := func(text string) string {
		return `"` + text + `" is not dhcp, nor one of source=, bridge=, mac=, address=, route=, dns=, filter= and ` +
			`filter.PARAMETER=`
	}
	const (
		address = " is not IP[/PREFIX][%BROADCAST], such as 192.168.122.10/24 or fd00::10/64"
		host    = " is not an address that an interface can have"
		route   = " is not NETWORK[/PREFIX]%GATEWAY, such as 0.0.0.0/0%192.168.122.1 or ::/0%fd00::1"
		mac     = " is not the MAC address of an interface, such as 52:54:00:12:34:56"
		source  = " is not the name of a libvirt network"
		bridge  = " is not the name of a bridge, such as br0"
		dns     = " is not the address of a name server"
		setting = " is not filter.PARAMETER=VALUE, such as filter.IP=192.168.122.10"
		static  = "; leave one out, or give it an interface of its own"
		gateway = " is in the network of no address of this interface; give an address= there"
	)
	for option, want := range map[string]string{
		"":          part(""),
		"dhcp,":     part(""),
		"moon":      part("moon"),
		"dhcp=yes":  part("dhcp=yes"),
		"DHCP":      part("DHCP"),
		"dhcp,mtu=": part("mtu="),
		"private":   part("private"),

		"dhcp,dhcp":                           "dhcp is given twice",
		"source=a,source=b":                   "source is given twice",
		"mac=52:54:00:0:0:1":                  `"52:54:00:0:0:1"` + mac,
		"bridge=a,bridge=a":                   "bridge is given twice",
		"filter=a,filter=b":                   "filter is given twice",
		"address=10.0.0.1/8,address=10.0.0.1": "address 10.0.0.1 is given twice",
		"dns=fd00::1,dns=fd00:0::1":           "dns fd00::1 is given twice",
		"filter=a,filter.x=1,filter.X=1":      "filter.X=1 is given twice",
		"address=10.0.0.1,route=10.9.0.0%10.0.0.2,route=10.9.0.0/24%10.0.0.3": "route 10.9.0.0/24 is given twice",

		"source=a,bridge=b":       "source= and bridge= exclude each other; leave one out",
		"source,bridge=b":         "source= and bridge= exclude each other; leave one out",
		"source=a/b":              `"a/b"` + source,
		"source=.":                `"."` + source,
		"source=a b":              `"a b"` + source,
		"source=<x>":              `"<x>"` + source,
		"source=a\nb":             `"a\nb"` + source,
		"bridge":                  `""` + bridge,
		"bridge=":                 `""` + bridge,
		"bridge=br/0":             `"br/0"` + bridge,
		"bridge=..":               `".."` + bridge,
		"bridge=sixteen-letters-": `"sixteen-letters-"` + bridge,

		"mac":                         `""` + mac,
		"mac=52:54:00:12:34":          `"52:54:00:12:34"` + mac,
		"mac=52-54-00-12-34-56":       `"52-54-00-12-34-56"` + mac,
		"mac=5254.0012.3456":          `"5254.0012.3456"` + mac,
		"mac=ff:ff:ff:ff:ff:ff":       `"ff:ff:ff:ff:ff:ff"` + mac,
		"mac=53:54:00:12:34:56":       `"53:54:00:12:34:56"` + mac,
		"mac=fe:54:00:12:34:56":       `"fe:54:00:12:34:56"` + mac,
		"mac=00:00:00:00:00:00":       `"00:00:00:00:00:00"` + mac,
		"mac=00:00:5e:00:53:01:00:01": `"00:00:5e:00:53:01:00:01"` + mac,

		"address":                        `""` + address,
		"address=web":                    `"web"` + address,
		"address=10.0.0":                 `"10.0.0"` + address,
		"address=10.0.0.1/33":            `"10.0.0.1/33"` + address,
		"address=10.0.0.01/8":            `"10.0.0.01/8"` + address,
		"address=10.0.0.1/":              `"10.0.0.1/"` + address,
		"address=fd00::1/129":            `"fd00::1/129"` + address,
		"address=::ffff:10.0.0.1/120":    `"::ffff:10.0.0.1/120"` + address,
		"address=10.0.0.0/24":            "10.0.0.0/24" + host,
		"address=10.0.0.255":             "10.0.0.255/24" + host,
		"address=255.255.255.255/24":     "255.255.255.255/24" + host,
		"address=0.0.0.0":                "0.0.0.0/24" + host,
		"address=10.0.0.1/0":             "10.0.0.1/0" + host,
		"address=127.0.0.1/8":            "127.0.0.1/8" + host,
		"address=224.0.0.1/24":           "224.0.0.1/24" + host,
		"address=::1":                    "::1/64" + host,
		"address=::":                     "::/64" + host,
		"address=ff02::1":                "ff02::1/64" + host,
		"address=10.0.0.1/24%":           `broadcast address "" is not an IPv4 address in 10.0.0.0/24`,
		"address=10.0.0.1/24%10.0.1.255": `broadcast address "10.0.1.255" is not an IPv4 address in 10.0.0.0/24`,
		"address=fd00::1/64%fd00::ffff":  `broadcast address "fd00::ffff" is not an IPv4 address in fd00::/64`,
		"address=fd00::1%eth0":           `broadcast address "eth0" is not an IPv4 address in fd00::/64`,

		"route":                            `""` + route,
		"address=10.0.0.1,route=0.0.0.0/0": `"0.0.0.0/0"` + route,
		"address=10.0.0.1,route=default%10.0.0.2":     `"default%10.0.0.2"` + route,
		"address=10.0.0.1,route=::/0%10.0.0.2":        `"::/0%10.0.0.2"` + route,
		"address=fd00::1,route=::/0%fe80::1%eth0":     `"::/0%fe80::1%eth0"` + route,
		"address=10.0.0.1,route=10.2.0.1/16%10.0.0.2": "10.2.0.1/16 has bits behind its prefix; write 10.2.0.0/16",
		"address=10.0.0.1,route=0.0.0.0/0%10.0.1.1":   "gateway 10.0.1.1" + gateway,
		"address=10.0.0.1,route=0.0.0.0/0%10.0.0.1":   "gateway 10.0.0.1" + gateway,
		"route=0.0.0.0/0%10.0.0.1":                    "gateway 10.0.0.1" + gateway,
		"dhcp,route=::/0%fd00::1":                     "gateway fd00::1" + gateway,

		"dhcp,address=10.0.0.1":         "dhcp excludes the IPv4 address 10.0.0.1/24" + static,
		"route=0.0.0.0/0%10.0.0.1,dhcp": "dhcp excludes the IPv4 route 0.0.0.0/0%10.0.0.1" + static,

		"dns=":                `""` + dns,
		"dns=0.0.0.0":         `"0.0.0.0"` + dns,
		"dns=ff02::fb":        `"ff02::fb"` + dns,
		"dns=fe80::1%eth0":    `"fe80::1%eth0"` + dns,
		"dns=10.0.0.1/8":      `"10.0.0.1/8"` + dns,
		"dns=::ffff:10.0.0.1": `"::ffff:10.0.0.1"` + dns,
		"dns=1.1.1.1,dns=1.1.1.2,dns=::2,dns=1.1.1.3": "there are more than 3 name servers; resolv.conf(5) has no room for " +
			"them",

		"filter":                         `"" is not the name of a libvirt network filter`,
		"filter=a'b":                     `"a'b" is not the name of a libvirt network filter`,
		"filter.IP=10.0.0.1":             "parameters of a filter need filter=NAME",
		"filter=a,filter.=1":             `"filter.=1"` + setting,
		"filter=a,filter.IP":             `"filter.IP="` + setting,
		"filter=a,filter.I-P=1":          `"filter.I-P=1"` + setting,
		"filter=a,filter.IP=10.0.0.0/24": `"filter.IP=10.0.0.0/24"` + setting,
		"filter=a,filter.IP=x y":         `"filter.IP=x y"` + setting,
	} {
		got, err := Parse(option)
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %+v, %v\nwant %s", option, got, err, want)
		}
	}
}

// TestHostDevice: the kernel takes the name, and no other address gives it.
func TestHostDevice(t *testing.T) {
	if got := (Interface{MAC: "52:54:00:12:34:56"}).HostDevice(); got != "sb525400123456" || !isDevice(got) {
		t.Errorf("got %q", got)
	}
	if got := (Interface{}).HostDevice(); got != "" {
		t.Errorf("without a MAC: got %q", got)
	}
}

// FuzzInterface: whatever parses is read back as the same, and is one word of a config.
func FuzzInterface(f *testing.F) {
	for _, text := range []string{
		"dhcp", "source=,mac=52:54:00:12:34:56", "bridge=br0,address=10.0.0.2/24%10.0.0.255,route=0.0.0.0/0%10.0.0.1",
		"address=fd00::1,route=::/0%fe80::1,dns=fd00::2", "filter=a,filter.ip=10.0.0.1", ",", "=", "%", "filter.=",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		i, err := Parse(text)
		if err != nil {
			return
		}
		written := i.String()
		again, err := Parse(written)
		if err != nil || !reflect.DeepEqual(again, i) {
			t.Errorf("%q is written as %q and read as %+v (%v), want %+v", text, written, again, err, i)
		}
		if textmerge.Quote(written) != written || strings.ContainsAny(written, "<>&'\" \t\n") {
			t.Errorf("%q is written as %q", text, written)
		}
	})
}
