// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"math"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/rfc1035label"
)

const obtained = 5 * time.Hour

// acknowledgement is what an ordinary server sends, changed by options.
func acknowledgement(t testing.TB, changes ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	t.Helper()
	ack, err := dhcpv4.New(append([]dhcpv4.Modifier{
		dhcpv4.WithMessageType(dhcpv4.MessageTypeAck), dhcpv4.WithYourIP(net.IPv4(192, 168, 122, 10)),
		dhcpv4.WithNetmask(net.CIDRMask(24, 32)), dhcpv4.WithServerIP(net.IPv4(192, 168, 122, 1)),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(192, 168, 122, 1))),
		dhcpv4.WithRouter(net.IPv4(192, 168, 122, 1)), dhcpv4.WithDNS(net.IPv4(192, 168, 122, 1)), dhcpv4.WithLeaseTime(3600),
	}, changes...)...)
	if err != nil {
		t.Fatal(err)
	}
	// As it comes from the wire.
	ack, err = dhcpv4.FromBytes(ack.ToBytes())
	if err != nil {
		t.Fatal(err)
	}
	return ack
}

func ordinaryLease() *Lease {
	server := netip.MustParseAddr("192.168.122.1")
	return &Lease{
		Address: Address{Prefix: netip.MustParsePrefix("192.168.122.10/24")}, Server: server,
		Routes: []Route{{netip.MustParsePrefix("0.0.0.0/0"), server}}, DNS: []netip.Addr{server},
		Obtained: obtained, Renew: 30 * time.Minute, Rebind: 52*time.Minute + 30*time.Second, Expire: time.Hour,
	}
}

func TestParseLease(t *testing.T) {
	option := func(code dhcpv4.OptionCode, data ...byte) dhcpv4.Modifier {
		return dhcpv4.WithOption(dhcpv4.OptGeneric(code, data))
	}
	ips := func(list ...string) (parsed []net.IP) {
		for _, ip := range list {
			parsed = append(parsed, net.ParseIP(ip))
		}
		return parsed
	}
	addresses := func(list ...string) (parsed []netip.Addr) {
		for _, a := range list {
			parsed = append(parsed, netip.MustParseAddr(a))
		}
		return parsed
	}
	cases := []struct {
		name   string
		change dhcpv4.Modifier
		want   func(*Lease)
		err    string
	}{
		{name: "ordinary", change: func(*dhcpv4.DHCPv4) {}, want: func(*Lease) {}},
		{name: "its own times", change: func(d *dhcpv4.DHCPv4) {
			d.UpdateOption(dhcpv4.OptRenewTimeValue(100 * time.Second))
			d.UpdateOption(dhcpv4.OptRebindingTimeValue(200 * time.Second))
		}, want: func(l *Lease) { l.Renew, l.Rebind = 100*time.Second, 200*time.Second }},
		{name: "times the wrong way round", change: func(d *dhcpv4.DHCPv4) {
			d.UpdateOption(dhcpv4.OptRenewTimeValue(200 * time.Second))
			d.UpdateOption(dhcpv4.OptRebindingTimeValue(100 * time.Second))
		}, want: func(*Lease) {}},
		{name: "times behind the end", change: func(d *dhcpv4.DHCPv4) {
			d.UpdateOption(dhcpv4.OptRenewTimeValue(2 * time.Hour))
			d.UpdateOption(dhcpv4.OptRebindingTimeValue(3 * time.Hour))
		}, want: func(*Lease) {}},
		{name: "renewal at once", change: dhcpv4.WithOption(dhcpv4.OptRenewTimeValue(0)), want: func(*Lease) {}},
		{name: "short", change: dhcpv4.WithLeaseTime(1), want: func(l *Lease) {
			l.Renew, l.Rebind, l.Expire = 5*time.Second, 8750*time.Millisecond, 10*time.Second
		}},
		{name: "without an end", change: dhcpv4.WithLeaseTime(math.MaxUint32), want: func(l *Lease) {
			l.Renew, l.Rebind, l.Expire = math.MaxInt64, math.MaxInt64, math.MaxInt64
		}},
		{
			name:   "broadcast",
			change: dhcpv4.WithOption(dhcpv4.OptBroadcastAddress(net.IPv4(192, 168, 122, 127))),
			want: func(l *Lease) {
				l.Address.Broadcast = netip.MustParseAddr("192.168.122.127")
			},
		},
		{
			name:   "broadcast elsewhere",
			change: dhcpv4.WithOption(dhcpv4.OptBroadcastAddress(net.IPv4(10, 0, 0, 255))),
			want:   func(*Lease) {},
		},
		{name: "no mask", change: func(d *dhcpv4.DHCPv4) { d.DeleteOption(dhcpv4.OptionSubnetMask) }, want: func(*Lease) {}},
		{name: "router, then others", change: dhcpv4.WithRouter(ips("0.0.0.0", "224.0.0.1", "192.168.122.2",
			"192.168.122.3")...), want: func(l *Lease) {
			l.Routes[0].Gateway = netip.MustParseAddr("192.168.122.2")
		}},
		{
			name:   "no router",
			change: func(d *dhcpv4.DHCPv4) { d.DeleteOption(dhcpv4.OptionRouter) },
			want:   func(l *Lease) { l.Routes = nil },
		},
		{name: "classless routes", change: option(
			dhcpv4.OptionClasslessStaticRoute,
			0,
			192,
			168,
			122,
			7,
			16,
			10,
			1,
			192,
			168,
			122,
			8,
			24,
			10,
			2,
			3,
			0,
			0,
			0,
			0,
			8,
			11,
			224,
			0,
			0,
			1,
		), want: func(l *Lease) {
			l.Routes = []Route{
				{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("192.168.122.7")},
				{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParseAddr("192.168.122.8")},
				{Destination: netip.MustParsePrefix("10.2.3.0/24")},
			}
		}},
		{name: "broken classless routes", change: option(dhcpv4.OptionClasslessStaticRoute, 99, 1, 2), want: func(*Lease) {}},
		{
			name:   "hundreds of routes",
			change: option(dhcpv4.OptionClasslessStaticRoute, bytes.Repeat([]byte{32, 10, 1, 2, 3, 192, 168, 122, 1}, 25)...),
			want: func(l *Lease) {
				l.Routes = nil
				for range 25 {
					l.Routes = append(l.Routes, Route{netip.MustParsePrefix("10.1.2.3/32"), netip.MustParseAddr("192.168.122.1")})
				}
			},
		},
		{name: "name servers", change: dhcpv4.WithDNS(ips("10.0.0.1", "0.0.0.0", "127.0.0.1", "10.0.0.1", "224.0.0.251",
			"255.255.255.255", "10.0.0.2", "10.0.0.3", "10.0.0.4")...),
			want: func(l *Lease) { l.DNS = addresses("10.0.0.1", "10.0.0.2", "10.0.0.3") }},
		{
			name:   "domain",
			change: dhcpv4.WithOption(dhcpv4.OptDomainName("lab.example")),
			want:   func(l *Lease) { l.Search = []string{"lab.example"} },
		},
		{
			name:   "domain that is two lines",
			change: dhcpv4.WithOption(dhcpv4.OptDomainName("a\nnameserver 6.6.6.6")),
			want:   func(*Lease) {},
		},
		{name: "domain of two words", change: dhcpv4.WithOption(dhcpv4.OptDomainName("a b")), want: func(*Lease) {}},
		{name: "search list", change: func(d *dhcpv4.DHCPv4) {
			d.UpdateOption(dhcpv4.OptDomainName("left.out"))
			d.UpdateOption(dhcpv4.OptDomainSearch(&rfc1035label.Labels{Labels: []string{"a.example", "a.example", "b.example",
				"c", "d", "e", "f", "g"}}))
		}, want: func(l *Lease) { l.Search = []string{"a.example", "b.example", "c", "d", "e", "f"} }},
		{name: "MTU", change: option(dhcpv4.OptionInterfaceMTU, 0x05, 0x14), want: func(l *Lease) { l.MTU = 1300 }},
		{name: "MTU that is none", change: option(dhcpv4.OptionInterfaceMTU, 0x00, 0x44), want: func(*Lease) {}},
		{name: "half an MTU", change: option(dhcpv4.OptionInterfaceMTU, 0x05), want: func(*Lease) {}},

		{
			name:   "no time",
			change: func(d *dhcpv4.DHCPv4) { d.DeleteOption(dhcpv4.OptionIPAddressLeaseTime) },
			err:    "how long",
		},
		{name: "no address", change: dhcpv4.WithYourIP(net.IPv4zero), err: "gives 0.0.0.0, which is no address"},
		{name: "loopback", change: dhcpv4.WithYourIP(net.IPv4(127, 0, 0, 1)), err: "gives 127.0.0.1"},
		{name: "multicast", change: dhcpv4.WithYourIP(net.IPv4(224, 0, 0, 1)), err: "gives 224.0.0.1"},
		{name: "everybody", change: dhcpv4.WithYourIP(net.IPv4bcast), err: "gives 255.255.255.255"},
		{name: "reserved", change: dhcpv4.WithYourIP(net.IPv4(240, 0, 0, 1)), err: "gives 240.0.0.1"},
		{name: "link-local", change: dhcpv4.WithYourIP(net.IPv4(169, 254, 0, 1)), err: "gives 169.254.0.1"},
		{name: "mask with a hole", change: dhcpv4.WithNetmask(net.IPv4Mask(255, 0, 255, 0)), err: "mask"},
		{name: "mask of all", change: dhcpv4.WithNetmask(net.IPv4Mask(0, 0, 0, 0)), err: "mask"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseLease(acknowledgement(t, c.change), obtained)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %+v, %v; want %s", got, err, c.err)
				}
				return
			}
			want := ordinaryLease()
			c.want(want)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
			}
		})
	}
}

func TestLeft(t *testing.T) {
	lease := ordinaryLease()
	for age, want := range map[time.Duration]int{0: 3600, time.Minute: 3540, time.Hour - time.Millisecond: 1,
		2 * time.Hour: 1} {
		if got := lease.left(obtained + age); got != want {
			t.Errorf("after %v: got %d s, want %d", age, got, want)
		}
	}
	lease.Expire = math.MaxInt64
	if got := lease.left(obtained); got != 0 {
		t.Errorf("without an end: got %d", got)
	}
}

// FuzzLease: no message makes a lease that an interface or resolv.conf could not have, nor a panic that gets through.
func FuzzLease(f *testing.F) {
	f.Add(acknowledgement(f).ToBytes())
	f.Add(
		acknowledgement(
			f,
			dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionClasslessStaticRoute, []byte{8, 10, 192, 168, 122, 1})),
		).ToBytes(),
	)
	f.Add(acknowledgement(f, dhcpv4.WithOption(dhcpv4.OptDomainName("lab.example")), dhcpv4.WithLeaseTime(7)).ToBytes())
	f.Fuzz(func(t *testing.T, message []byte) {
		if !isSane(message) {
			return
		}
		ack, err := dhcpv4.FromBytes(message)
		if err != nil {
			t.Fatal(err)
		}
		lease, err := parseLease(ack, obtained)
		if err != nil {
			return
		}
		if lease.Renew <= 0 || lease.Rebind < lease.Renew || lease.Expire < lease.Rebind || lease.Expire < shortestLease {
			t.Errorf("times %v, %v, %v", lease.Renew, lease.Rebind, lease.Expire)
		}
		if !lease.Address.Prefix.IsValid() || lease.Address.Prefix.Bits() == 0 || !isUnicast(lease.Address.Prefix.Addr()) {
			t.Errorf("address %s", lease.Address.Prefix)
		}
		for _, r := range lease.Routes {
			if r.Destination != r.Destination.Masked() || (r.Gateway.IsValid() && !isUnicast(r.Gateway)) {
				t.Errorf("route %+v", r)
			}
		}
		state := &State{Interfaces: []Interface{{Name: "eth0", DHCP: true}}, Leases: map[string]*Lease{"eth0": lease}}
		for line := range strings.Lines(state.resolv()) {
			if !strings.HasPrefix(line, "# Made") && !strings.HasPrefix(line, "nameserver ") && !strings.HasPrefix(line,
				"search ") {
				t.Errorf("resolv.conf has the line %q", line)
			}
		}
	})
}
