// SPDX-License-Identifier: Apache-2.0

// Package hostnet is the host's side of a sandbox's interfaces. In: the interfaces of a config, and libvirt, which has
// networks and filters; out: MAC addresses that nobody else has, an error that says what the host lacks, and what the
// interfaces shall have, for package network, which works inside. The verbs that make, complete, start and end
// sandboxes call it.
package hostnet

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"libvirt.org/go/libvirtxml"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/domain"
	"github.com/virt-sandbox/virt-sandbox/internal/network"
	"github.com/virt-sandbox/virt-sandbox/internal/nic"
)

// Libvirt is what is asked of an open connection to libvirt.
type Libvirt interface {
	// URI is what the connection leads to.
	URI() string
	// CheckFilter refuses a network filter that libvirt does not have.
	CheckFilter(name string) error
	// IsNetworkActive reports whether a network is switched on. It refuses one that libvirt does not have.
	IsNetworkActive(name string) (bool, error)
	// NetworkXML returns the description of a network.
	NetworkXML(name string) (string, error)
	// DomainTexts returns the XML of all domains, but of those that isKnown reports.
	DomainTexts(isKnown func(name, uuid string) bool) ([]string, error)
}

// Configs are the configs of all sandboxes, as config.Store has them.
type Configs interface {
	Names() ([]string, error)
	Texts(name string) (string, error)
	Known(name string) (*config.Sandbox, error)
	Path(name string) string
}

// Host looks at this host's networks for sandboxes. Its methods may be called from several goroutines.
type Host struct {
	configs Configs
	warn    func(format string, args ...any)
}

// New returns a Host. warn takes one line that a person should read though nothing failed; nil for nobody.
func New(configs Configs, warn func(format string, args ...any)) *Host {
	if warn == nil {
		warn = func(string, ...any) {}
	}
	return &Host{configs: configs, warn: warn}
}

// InterfaceError says why an interface cannot be had.
type InterfaceError struct {
	Interface config.Interface // as it was asked for
	Err       error
}

func (e *InterfaceError) Error() string { return fmt.Sprintf("interface %s: %v", e.Interface, e.Err) }

// Unwrap returns the reason.
func (e *InterfaceError) Unwrap() error { return e.Err }

// Plan checks for a new sandbox that the host has what the interfaces name, and chooses their MAC addresses. Errors:
// *InterfaceError.
func (h *Host) Plan(libvirt Libvirt, s *config.Sandbox) error {
	taken, err := h.takenMACs(libvirt, s)
	if err != nil {
		return err
	}
	for _, i := range s.Interfaces {
		if by := taken[i.MAC]; by != "" {
			return h.conflict(s, i, by)
		}
	}
	giveMACs(s, taken)
	for _, i := range s.Interfaces {
		inactive, err := check(libvirt, i)
		if err != nil {
			return &InterfaceError{i, err}
		}
		if inactive != "" {
			h.warn("%s does not start before %s", s.Name, inactive)
		}
	}
	return nil
}

// check says what the host lacks for an interface; inactive is what has to be done before a start.
func check(libvirt Libvirt, i config.Interface) (inactive string, err error) {
	if i.Filter != "" {
		if err := libvirt.CheckFilter(i.Filter); err != nil {
			return "", err
		}
	}
	if i.Bridge != "" {
		link, err := netlink.LinkByName(i.Bridge)
		if err != nil {
			return "", fmt.Errorf("the host has no bridge %s; make it, or name a libvirt network with source=", i.Bridge)
		}
		if link.Type() != "bridge" {
			return "", fmt.Errorf("%s is no bridge (it is a %s); name one, or a libvirt network with source=",
				i.Bridge, link.Type())
		}
		return "", nil
	}
	active, err := libvirt.IsNetworkActive(i.Source)
	if err != nil {
		return "", err
	}
	if !active {
		return fmt.Sprintf("libvirt's network %s is active: run virsh -c %s net-start %s, and net-autostart %s",
			i.Source, libvirt.URI(), i.Source, i.Source), nil
	}
	return "", nil
}

// Prepare checks at the start of a sandbox what Plan did when it was made, removes what an interrupted start left, and
// returns what the interfaces shall have.
func (h *Host) Prepare(libvirt Libvirt, s *config.Sandbox) ([]network.Interface, error) {
	var list []network.Interface
	for n, i := range s.Interfaces {
		setup, err := prepare(libvirt, n, i)
		if err != nil {
			return nil, fmt.Errorf("%s: interface=%s: %w", h.configs.Path(s.Name), i, err)
		}
		list = append(list, setup)
	}
	return list, nil
}

// PrepareOneShot does the same for a sandbox without a config, whose interfaces it gives MAC addresses, at any
// connection. Errors: *InterfaceError.
func (h *Host) PrepareOneShot(libvirt Libvirt, s *config.Sandbox) ([]network.Interface, error) {
	if len(s.Interfaces) == 0 {
		return nil, nil
	}
	taken, err := h.takenMACs(libvirt, s)
	if err != nil {
		return nil, err
	}
	for _, i := range s.Interfaces {
		if by := taken[i.MAC]; by != "" {
			return nil, &InterfaceError{i, fmt.Errorf("%s has the MAC address already; choose another, or leave mac= out", by)}
		}
	}
	asked := slices.Clone(s.Interfaces)
	giveMACs(s, taken)
	var list []network.Interface
	for n, i := range s.Interfaces {
		setup, err := prepare(libvirt, n, i)
		if err != nil {
			return nil, &InterfaceError{asked[n], err}
		}
		list = append(list, setup)
	}
	return list, nil
}

func prepare(libvirt Libvirt, n int, i config.Interface) (network.Interface, error) {
	setup := Setup(n, i)
	inactive, err := check(libvirt, i)
	if err == nil && inactive != "" {
		err = fmt.Errorf("it does not start before %s", inactive)
	}
	if err != nil {
		return setup, err
	}
	if err := RemoveDevice(i); err != nil {
		return setup, err
	}
	if len(i.DNS) == 0 && !i.DHCP && len(i.Addresses) > 0 && i.Source != "" {
		setup.DNS, err = nameServers(libvirt, i)
	}
	return setup, err
}

// Setup returns what an interface of a config, by its place there, shall have.
func Setup(n int, i config.Interface) network.Interface {
	setup := network.Interface{Name: domain.InterfaceName(n), DHCP: i.DHCP, DNS: i.DNS}
	for _, a := range i.Addresses {
		setup.Addresses = append(setup.Addresses, network.Address{Prefix: a.Prefix, Broadcast: a.Broadcast})
	}
	for _, r := range i.Routes {
		setup.Routes = append(setup.Routes, network.Route(r))
	}
	return setup
}

// nameServers returns those that libvirt runs on a network, which a fixed address of the same kind reaches.
func nameServers(libvirt Libvirt, i config.Interface) (servers []netip.Addr, err error) {
	text, err := libvirt.NetworkXML(i.Source)
	if err != nil {
		return nil, err
	}
	var described libvirtxml.Network
	if err := described.Unmarshal(text); err != nil {
		return nil, fmt.Errorf("look up network %s: %w", i.Source, err)
	}
	if described.DNS != nil && described.DNS.Enable == "no" {
		return nil, nil
	}
	for _, ip := range described.IPs {
		server, err := netip.ParseAddr(ip.Address)
		if err != nil {
			continue
		}
		if slices.ContainsFunc(i.Addresses, func(a nic.Address) bool { return a.Contains(server) }) {
			servers = append(servers, server)
		}
	}
	return servers, nil
}
