// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/netip"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
)

// newNetwork returns a process in a network of its own, with an interface eth0 whose other end is there too.
func newNetwork(t *testing.T) *os.File {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	child := exec.Command("sleep", "60")
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	fd, err := unix.PidfdOpen(child.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	process := os.NewFile(uintptr(fd), "pidfd")
	t.Cleanup(func() { process.Close() })
	within(t, process, func() error {
		attributes := netlink.NewLinkAttrs()
		attributes.Name = "eth0"
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attributes, PeerName: "peer"}); err != nil {
			return err
		}
		peer, err := netlink.LinkByName("peer")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(peer)
	})
	return process
}

func within(t *testing.T, process *os.File, f func() error) {
	t.Helper()
	if err := namespace.InNetworkOf(process, f); err != nil {
		t.Fatal(err)
	}
}

// state lists the addresses and the routes by a gateway of eth0, as a person would write them.
func kernelState(t *testing.T, process *os.File) (list []string) {
	t.Helper()
	within(t, process, func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		addresses, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return err
		}
		for _, a := range addresses {
			if !a.IP.IsLinkLocalUnicast() {
				list = append(list, strings.TrimSuffix(a.IPNet.String()+" "+a.Broadcast.String(), " <nil>"))
			}
		}
		routes, err := netlink.RouteList(link, netlink.FAMILY_ALL)
		for _, r := range routes {
			if r.Gw != nil || r.Protocol == unix.RTPROT_DHCP {
				list = append(list, strings.TrimSuffix(r.Dst.String()+" via "+r.Gw.String(), " via <nil>"))
			}
		}
		return err
	})
	slices.Sort(list)
	return list
}

// TestConfigure has the kernel take fixed addresses and routes, twice, as after an interruption.
func TestConfigure(t *testing.T) {
	process := newNetwork(t)
	i := Interface{Name: "eth0", Addresses: []Address{
		{
			Prefix: netip.MustParsePrefix("10.0.0.9/24"),
		}, {netip.MustParsePrefix("10.1.0.9/16"), netip.MustParseAddr("10.1.255.254")},
		{Prefix: netip.MustParsePrefix("fd00::9/64")},
	}, Routes: []Route{
		{
			netip.MustParsePrefix("0.0.0.0/0"),
			netip.MustParseAddr("10.0.0.1"),
		}, {netip.MustParsePrefix("::/0"), netip.MustParseAddr("fe80::1")},
	}}
	if err := SwitchOn(process, []Interface{i}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		within(t, process, func() error { return configure(t.Context(), i) })
	}
	want := []string{"0.0.0.0/0 via 10.0.0.1", "10.0.0.9/24 10.0.0.255", "10.1.0.9/16 10.1.255.254", "::/0 via fe80::1",
		"fd00::9/64"}
	if got := kernelState(t, process); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	got, err := Addresses(process)
	wantAddresses := []netip.Prefix{i.Addresses[0].Prefix, i.Addresses[1].Prefix, i.Addresses[2].Prefix}
	if err != nil || !slices.Equal(got, wantAddresses) {
		t.Errorf("Addresses gives %v, %v; want %v", got, err, wantAddresses)
	}
	within(t, process, func() error {
		for _, setting := range []string{"accept_ra", "accept_redirects"} {
			got, err := os.ReadFile("/proc/sys/net/ipv6/conf/eth0/" + setting)
			if err != nil || string(got) != "0\n" {
				t.Errorf("%s is %q, %v", setting, got, err)
			}
		}
		return nil
	})
	if err := SwitchOn(process, []Interface{{Name: "eth7"}}); err == nil || !strings.Contains(err.Error(),
		"switch eth7 on") {
		t.Errorf("an interface that is not there: %v", err)
	}
}

// TestApply goes from lease to lease, and looks at what the kernel has of each.
func TestApply(t *testing.T) {
	process := newNetwork(t)
	if err := SwitchOn(process, []Interface{{Name: "eth0"}}); err != nil {
		t.Fatal(err)
	}
	lease := func(address string, routes ...Route) *Lease {
		return &Lease{
			Address:  Address{Prefix: netip.MustParsePrefix(address)},
			Routes:   routes,
			Obtained: sinceBoot(),
			Expire:   time.Hour,
		}
	}
	defaultRoute := func(gateway string) Route {
		return Route{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr(gateway)}
	}
	onLink := Route{Destination: netip.MustParsePrefix("10.7.0.0/16")}
	var old *Lease
	for _, c := range []struct {
		lease *Lease
		want  []string
	}{
		{lease("10.0.0.9/24", defaultRoute("10.0.0.1")), []string{"0.0.0.0/0 via 10.0.0.1", "10.0.0.9/24 10.0.0.255"}},
		{lease("10.0.0.9/24", defaultRoute("10.0.0.1")), []string{"0.0.0.0/0 via 10.0.0.1", "10.0.0.9/24 10.0.0.255"}},
		{lease("10.0.0.9/24", defaultRoute("10.0.0.2"), onLink), []string{"0.0.0.0/0 via 10.0.0.2",
			"10.0.0.9/24 10.0.0.255", "10.7.0.0/16"}},
		{lease("10.2.0.9/32", defaultRoute("10.9.9.9")), []string{"0.0.0.0/0 via 10.9.9.9", "10.2.0.9/32"}},
		{lease("10.2.0.9/24"), []string{"10.2.0.9/24 10.2.0.255"}},
		{nil, nil},
		{nil, nil},
	} {
		within(t, process, func() error { return port{name: "eth0"}.apply(old, c.lease) })
		if got := kernelState(t, process); !slices.Equal(got, c.want) {
			t.Errorf("after %+v\ngot  %q\nwant %q", c.lease, got, c.want)
		}
		old = c.lease
	}
	if err := namespace.InNetworkOf(process, func() error {
		return port{name: "eth7"}.apply(nil,
			lease("10.0.0.9/24"))
	}); !isGone(
		err,
	) {
		t.Errorf("an interface that is not there: %v", err)
	}
}

// TestApplyAfterMeddling: what root inside has taken away is no error, and comes back.
func TestApplyAfterMeddling(t *testing.T) {
	process := newNetwork(t)
	lease := &Lease{
		Address:  Address{Prefix: netip.MustParsePrefix("10.0.0.9/24")},
		Obtained: sinceBoot(),
		Expire:   time.Hour,
		Routes:   []Route{{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("10.0.0.1")}},
	}
	p := port{name: "eth0"}
	if err := SwitchOn(process, []Interface{{Name: "eth0"}}); err != nil {
		t.Fatal(err)
	}
	within(t, process, func() error { return p.apply(nil, lease) })
	within(t, process, func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return netlink.AddrDel(link, &netlink.Addr{IPNet: ipNet(lease.Address.Prefix)})
	})
	if got := kernelState(t, process); len(got) != 0 {
		t.Fatalf("still there: %q", got)
	}
	within(t, process, func() error { return p.apply(lease, lease) })
	if got := kernelState(t, process); len(got) != 2 {
		t.Errorf("what was taken away did not come back: %q", got)
	}
	within(t, process, func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return netlink.AddrDel(link, &netlink.Addr{IPNet: ipNet(lease.Address.Prefix)})
	})
	within(t, process, func() error { return p.apply(lease, nil) })
}
