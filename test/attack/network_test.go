// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
	"golang.org/x/sys/unix"
)

// networkAttempts are what root inside sends to others of its network: to another container and to the host.
func networkAttempts() []attempt {
	return []attempt{
		{name: "dhcp-names", tries: "put lines into the resolv.conf of another container by names in a lease",
			host: rogueLease("names", hasForeignLine)},
		{name: "dhcp-flood", tries: "keep another container's monitor busy by leases of a second in 200 answers",
			host: rogueLease("flood", isBusy)},
		{name: "dhcp-garbage", tries: "end another container's monitor by answers that nobody can parse",
			host: rogueLease("garbage", isUnkept)},
		{name: "router-advertisement", tries: "give a container with a fixed address another address and a route",
			host: routerAdvertisement},
	}
}

// rogue is a container that shares a bridge with others, and what it says there.
type rogue struct {
	*box
	bridge string
}

// joined makes a bridge and a container on it that root inside has.
func (b *box) joined(t *testing.T) rogue {
	t.Helper()
	const bridge = "t-attack-br"
	shell(t, "ip link add "+bridge+" type bridge && ip link set "+bridge+" up && ip addr add 10.222.0.254/24 dev "+bridge)
	t.Cleanup(func() { shell(t, "ip link del "+bridge) })
	other := &box{name: b.name + "-rogue", wall: b.wall, options: b.options}
	other.create(t, "-N", "bridge="+bridge+",address=10.222.0.1/24")
	must(t, "start", other.name)
	other.install(t)
	return rogue{other, bridge}
}

// rogueLease has root inside answer another container's DHCP; gained reports whether that got it anything.
func rogueLease(kind string, gained func(*testing.T, *box, rogue) bool) func(*testing.T, *box) error {
	return func(t *testing.T, b *box) error {
		r := b.joined(t)
		server := exec.Command(program, "execute", r.name, "--", "/var/lib/"+insideProgram, "do", "serve-dhcp-"+kind)
		server.Stdout, server.Stderr = os.Stderr, os.Stderr
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = server.Process.Kill()
			_ = server.Wait()
		}()
		victim := &box{name: b.name + "-victim", wall: b.wall, options: b.options}
		victim.create(t, "-N", "dhcp,bridge="+r.bridge)
		started := service(t, 2*time.Minute, "start", victim.name)
		t.Logf("start: status %d, after %v: %s", started.status, started.took, started.text)
		if started.timeout {
			return nil
		}
		if kind != "garbage" && started.status != 0 {
			t.Fatalf("the attempt reached nobody: %s", started.text)
		}
		if gained(t, victim, r) {
			return nil
		}
		return errHeld
	}
}

// hasForeignLine reports whether what a lease says became more than names.
func hasForeignLine(t *testing.T, victim *box, _ rogue) bool {
	text := victim.inside(t, "cat /etc/resolv.conf")
	t.Logf("resolv.conf: %q", text)
	return strings.Contains(text, "6.6.6.6") || strings.Contains(text, "options") || len(text) > 4096
}

// isBusy reports whether the host works more than a little for the lease.
func isBusy(t *testing.T, victim *box, _ rogue) bool {
	before := monitorsTime(t)
	time.Sleep(10 * time.Second)
	used := monitorsTime(t) - before
	routes := strings.Count(victim.inside(t, "ip route"), "\n")
	t.Logf("the monitors used %d ms in 10 s, and made %d routes", used.Milliseconds(), routes)
	return used > time.Second || routes > 1000
}

// isUnkept reports whether who keeps the lease is gone.
func isUnkept(t *testing.T, victim *box, _ rogue) bool {
	r := service(t, time.Minute, "status", victim.name)
	return r.timeout || strings.Contains(r.text, "panic")
}

// monitorsTime returns what the monitors of all containers have used of processors.
func monitorsTime(t *testing.T) (used time.Duration) {
	t.Helper()
	pids := strings.Fields(shell(t, "pgrep -f '^[^ ]*virt-sandbox-service-monitor'"))
	if len(pids) == 0 {
		t.Fatal("there is no monitor")
	}
	for _, pid := range pids {
		data, err := os.ReadFile("/proc/" + pid + "/schedstat")
		if err != nil {
			t.Fatalf("who keeps the lease: %v", err)
		}
		var nanoseconds int64
		if _, err := fmt.Sscan(string(data), &nanoseconds); err != nil {
			t.Fatal(err)
		}
		used += time.Duration(nanoseconds)
	}
	return used
}

// routerAdvertisement has root inside advertise itself as a router.
func routerAdvertisement(t *testing.T, b *box) error {
	r := b.joined(t)
	victim := &box{name: b.name + "-victim", wall: b.wall, options: b.options}
	victim.create(t, "-N", "bridge="+r.bridge+",address=10.222.0.9/24")
	must(t, "start", victim.name)
	must(t, "execute", r.name, "--", "/var/lib/"+insideProgram, "do", "advertise-router")
	time.Sleep(2 * time.Second)
	inside := victim.inside(t, "ip -6 route; ip -6 addr; cat /etc/resolv.conf")
	if strings.Contains(inside, "fd66:") {
		t.Logf("the other container has %s", inside)
		return nil
	}
	return errHeld
}

// serveDHCP answers every question on the container's network.
func serveDHCP(kind string) error {
	handler := func(conn net.PacketConn, _ net.Addr, m *dhcpv4.DHCPv4) {
		answer, err := dhcpv4.NewReplyFromRequest(m, dhcpv4.WithYourIP(net.IPv4(10, 222, 0, 77)),
			dhcpv4.WithServerIP(net.IPv4(10, 222, 0, 1)), dhcpv4.WithNetmask(net.CIDRMask(24, 32)),
			dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(10, 222, 0, 1))), dhcpv4.WithLeaseTime(60))
		if err != nil {
			return
		}
		answer.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeOffer))
		if m.MessageType() == dhcpv4.MessageTypeRequest {
			answer.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeAck))
		}
		everybody := &net.UDPAddr{IP: net.IPv4bcast, Port: dhcpv4.ClientPort}
		for _, data := range spoil(kind, answer) {
			_, _ = conn.WriteTo(data, everybody)
		}
	}
	server, err := server4.NewServer("eth0", nil, handler)
	if err != nil {
		return err
	}
	return server.Serve()
}

// spoil makes of an honest answer what root inside sends.
func spoil(kind string, answer *dhcpv4.DHCPv4) [][]byte {
	const injected = "x.test\nnameserver 6.6.6.6\noptions inet6\x1b]0;OWNED\a"
	switch kind {
	case "names":
		answer.UpdateOption(dhcpv4.OptDomainName(injected))
		answer.UpdateOption(dhcpv4.OptHostName(injected))
		label := append([]byte{byte(len(injected))}, injected...)
		answer.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionDNSDomainSearchList, append(label, 0)))
	case "flood":
		answer.UpdateOption(dhcpv4.OptIPAddressLeaseTime(time.Second))
		answer.UpdateOption(dhcpv4.OptRenewTimeValue(0))
		var routes []byte
		for i := range 110 { // That a packet has room for.
			routes = append(routes, 32, 11, 0, byte(i>>8), byte(i), 10, 222, 0, 1)
		}
		answer.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionClasslessStaticRoute, routes))
		data := answer.ToBytes()
		flood := make([][]byte, 200)
		for i := range flood {
			flood[i] = data
		}
		return flood
	case "garbage":
		var list [][]byte
		honest := answer.ToBytes()
		for n := range len(honest) {
			list = append(list, honest[:n])
		}
		for _, option := range []byte{1, 3, 6, 15, 26, 28, 51, 54, 58, 59, 119, 121} {
			for _, data := range [][]byte{{}, {0}, {0xff}, {0xc0, 0x00}, {63, 'x'}, {33, 1, 2, 3, 4, 5, 6, 7, 8}} {
				answer.UpdateOption(dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(option), data))
				list = append(list, answer.ToBytes())
			}
		}
		return list
	}
	return [][]byte{answer.ToBytes()}
}

// advertiseRouter sends router advertisements (RFC 4861) with a prefix, a route and a name server.
func advertiseRouter() error {
	socket, err := net.ListenPacket("ip6:ipv6-icmp", "::")
	if err != nil {
		return err
	}
	defer socket.Close()
	raw, err := socket.(*net.IPConn).SyscallConn()
	if err != nil {
		return err
	}
	const hops = 255
	if err := raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, hops)
	}); err != nil {
		return err
	}
	message := []byte{134, 0, 0, 0, 64, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0}
	prefix := append([]byte{3, 4, 64, 0xc0, 0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0, 0, 0}, net.ParseIP("fd66::")...)
	nameServer := append([]byte{25, 3, 0, 0, 0, 0, 0xff, 0xff}, net.ParseIP("fd66::6")...)
	message = append(append(message, prefix...), nameServer...)
	for sent, begun := 0, time.Now(); sent < 5; time.Sleep(300 * time.Millisecond) {
		_, err := socket.WriteTo(message, &net.IPAddr{IP: net.ParseIP("ff02::1"), Zone: "eth0"})
		switch {
		case err == nil:
			sent++
		// The link-local address is there once nobody else has been found to have it.
		case !errors.Is(err, unix.EADDRNOTAVAIL) || time.Since(begun) > 10*time.Second:
			return err
		}
	}
	return nil
}
