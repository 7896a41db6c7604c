// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// errRefused is returned where a server does not let an interface have an address, or no longer.
var errRefused = errors.New("the DHCP server refuses")

// errNoAnswer is returned where no server answers.
var errNoAnswer = errors.New("no DHCP server answers")

// Explain says what to look at where a setup that took as long as it may failed.
func Explain(err error, limit time.Duration) error {
	if errors.Is(err, errNoAnswer) {
		return fmt.Errorf("%w within %v; is there one on the network of that interface, and does its filter let DHCP "+
			"pass?", err, limit)
	}
	return err
}

// Times until a message is sent again; each time doubles the last.
const (
	discoverAgain = 1500 * time.Millisecond
	requestAgain  = 4 * time.Second
)

// port is an interface of the namespace that the thread is in, as DHCP sees it.
type port struct {
	name     string
	hostname string
}

// discover finds a server and takes what it offers.
func (p port) discover(ctx context.Context) (lease *Lease, err error) {
	defer recoverAs(&err)
	mac, err := p.mac()
	if err != nil {
		return nil, err
	}
	client, err := p.client(mac, netip.Addr{}, discoverAgain)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	answer, err := client.Request(ctx, p.options()...)
	if err != nil {
		return nil, p.reason(err)
	}
	return p.parse(answer.ACK)
}

// request asks for more time, either the server that gave the lease, or any.
func (p port) request(ctx context.Context, lease *Lease, everybody bool) (renewed *Lease, err error) {
	defer recoverAs(&err)
	address := lease.Address.Prefix.Addr()
	mac, err := p.mac()
	if err != nil {
		return nil, err
	}
	server, from := nclient4.DefaultServers, netip.Addr{}
	if !everybody && lease.Server.IsValid() {
		server, from = &net.UDPAddr{IP: lease.Server.AsSlice(), Port: nclient4.ServerPort}, address
	}
	client, err := p.client(mac, from, requestAgain)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	message, err := dhcpv4.New(append(p.options(), dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest),
		dhcpv4.WithHwAddr(mac), dhcpv4.WithClientIP(address.AsSlice()))...)
	if err != nil {
		return nil, fmt.Errorf("%s: make a DHCP message: %w", p.name, err)
	}
	ack, err := client.SendAndRead(
		ctx,
		server,
		message,
		nclient4.IsMessageType(dhcpv4.MessageTypeAck, dhcpv4.MessageTypeNak),
	)
	if err != nil {
		return nil, p.reason(err)
	}
	if ack.MessageType() == dhcpv4.MessageTypeNak || !ack.YourIPAddr.Equal(address.AsSlice()) {
		return nil, fmt.Errorf("%s: %w", p.name, errRefused)
	}
	return p.parse(ack)
}

func (p port) mac() (net.HardwareAddr, error) {
	link, err := netlink.LinkByName(p.name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	return link.Attrs().HardwareAddr, nil
}

// client speaks from an address of the interface, or, before it has one and to everybody, from none.
func (p port) client(mac net.HardwareAddr, from netip.Addr, again time.Duration) (*nclient4.Client, error) {
	var socket net.PacketConn
	var err error
	if from.IsValid() {
		config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
			var failure error
			err := c.Control(func(fd uintptr) { failure = unix.BindToDevice(int(fd), p.name) })
			return errors.Join(err, failure)
		}}
		socket, err = config.ListenPacket(
			context.Background(),
			"udp4",
			netip.AddrPortFrom(from, nclient4.ClientPort).String(),
		)
	} else {
		socket, err = nclient4.NewRawUDPConn(p.name, nclient4.ClientPort)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: open a socket for DHCP: %w", p.name, err)
	}
	return nclient4.NewWithConn(sane{socket}, mac, nclient4.WithTimeout(again), nclient4.WithRetry(-1))
}

// sane passes on only messages that can be parsed. Whoever is on the network can send any, to a process that must not
// end over one; the client would parse them where nobody could catch that.
type sane struct{ net.PacketConn }

// ReadFrom implements net.PacketConn.
func (s sane) ReadFrom(buffer []byte) (int, net.Addr, error) {
	for {
		n, from, err := s.PacketConn.ReadFrom(buffer)
		if err != nil || isSane(buffer[:n]) {
			return n, from, err
		}
	}
}

func isSane(message []byte) bool {
	var err error
	func() {
		defer recoverAs(&err)
		_, err = dhcpv4.FromBytes(message)
	}()
	return err == nil
}

// options are what we tell a server, and ask of it.
func (p port) options() []dhcpv4.Modifier {
	return []dhcpv4.Modifier{
		dhcpv4.WithOption(dhcpv4.OptHostName(p.hostname)),
		dhcpv4.WithOption(dhcpv4.OptMaxMessageSize(nclient4.MaxMessageSize)),
		dhcpv4.WithRequestedOptions(dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer,
			dhcpv4.OptionDomainName, dhcpv4.OptionInterfaceMTU, dhcpv4.OptionBroadcastAddress, dhcpv4.OptionIPAddressLeaseTime,
			dhcpv4.OptionRenewTimeValue, dhcpv4.OptionRebindingTimeValue, dhcpv4.OptionDNSDomainSearchList,
			dhcpv4.OptionClasslessStaticRoute),
	}
}

func (p port) parse(ack *dhcpv4.DHCPv4) (*Lease, error) {
	lease, err := parseLease(ack, sinceBoot())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	return lease, nil
}

// reason says in a few words what went wrong.
func (p port) reason(err error) error {
	var nak *nclient4.ErrNak
	switch {
	case errors.As(err, &nak):
		return fmt.Errorf("%s: %w", p.name, errRefused)
	case errors.Is(err, nclient4.ErrNoResponse), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", p.name, errNoAnswer)
	}
	return fmt.Errorf("%s: %w", p.name, err)
}

func recoverAs(err *error) {
	if failure := recover(); failure != nil {
		*err = fmt.Errorf("cannot make sense of what a DHCP server says: %v", failure)
	}
}

// sinceBoot is a clock that goes on while the host sleeps, as that of a server does.
func sinceBoot() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		panic(err) // clock_gettime(2) has no error that could come
	}
	return time.Duration(now.Nano())
}
