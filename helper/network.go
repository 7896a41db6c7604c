package helper

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirtxml"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/domain"
	"github.com/virt-sandbox/virt-sandbox/internal/network"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// planNetwork checks for a new sandbox that the host has what the interfaces name, and chooses their MAC addresses.
func (m *Manager) planNetwork(s *config.Sandbox) error {
	if len(s.Interfaces) == 0 {
		return nil
	}
	taken, err := m.takenMACs(s)
	if err != nil {
		return err
	}
	for _, i := range s.Interfaces {
		if by := taken[i.MAC]; by != "" {
			return m.takenMAC(s, i, by)
		}
	}
	if err := m.chooseMACs(s); err != nil {
		return err
	}
	connection, err := m.libvirt.Connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	for _, i := range s.Interfaces {
		inactive, err := m.checkInterface(connection, i)
		if err != nil {
			return fmt.Errorf("interface %s: %w", i, err)
		}
		if inactive != "" {
			m.Warn("%s does not start before %s", s.Name, inactive)
		}
	}
	return nil
}

// checkInterface tells what the host lacks for an interface; inactive is what has to be done before a start.
func (m *Manager) checkInterface(connection *virt.Connection, i config.Interface) (inactive string, err error) {
	if i.Filter != "" {
		if err := connection.CheckFilter(i.Filter); err != nil {
			return "", err
		}
	}
	if i.Bridge != "" {
		link, err := netlink.LinkByName(i.Bridge)
		if err != nil {
			return "", fmt.Errorf("the host has no bridge %s; make it, or name a libvirt network with source=", i.Bridge)
		}
		if link.Type() != "bridge" {
			return "", fmt.Errorf("%s is no bridge (it is a %s); name one, or a libvirt network with source=", i.Bridge, link.Type())
		}
		return "", nil
	}
	active, err := connection.IsNetworkActive(i.Source)
	if err != nil {
		return "", err
	}
	if !active {
		return fmt.Sprintf("libvirt's network %s is active: run virsh -c %s net-start %s, and net-autostart %s", i.Source, m.URI, i.Source, i.Source), nil
	}
	return "", nil
}

// prepareNetwork checks the same at a start, removes what an interrupted one left, and says what the interfaces shall
// have.
func (m *Manager) prepareNetwork(connection *virt.Connection, s *config.Sandbox) ([]network.Interface, error) {
	var list []network.Interface
	for n, i := range s.Interfaces {
		setup, err := m.prepareInterface(connection, n, i)
		if err != nil {
			return nil, fmt.Errorf("%s: interface=%s: %w", m.Store.Path(s.Name), i, err)
		}
		list = append(list, setup)
	}
	return list, nil
}

// PrepareInterfaces does the same for a sandbox of -N options, whose interfaces it gives MAC addresses; at any
// connection.
func (m *Manager) PrepareInterfaces(connection *virt.Connection, s *config.Sandbox) ([]network.Interface, error) {
	if len(s.Interfaces) == 0 {
		return nil, nil
	}
	taken, err := m.takenAt(connection, s)
	if err != nil {
		return nil, err
	}
	for _, i := range s.Interfaces {
		if by := taken[i.MAC]; by != "" {
			return nil, fmt.Errorf("-N %s: %s has the MAC address already; choose another, or leave mac= out", i, by)
		}
	}
	asked := slices.Clone(s.Interfaces)
	giveMACs(s, taken)
	var list []network.Interface
	for n, i := range s.Interfaces {
		setup, err := m.prepareInterface(connection, n, i)
		if err != nil {
			return nil, fmt.Errorf("-N %s: %w", asked[n], err)
		}
		list = append(list, setup)
	}
	return list, nil
}

func (m *Manager) prepareInterface(connection *virt.Connection, n int, i config.Interface) (network.Interface, error) {
	setup := InterfaceSetup(n, i)
	inactive, err := m.checkInterface(connection, i)
	if err == nil && inactive != "" {
		err = fmt.Errorf("it does not start before %s", inactive)
	}
	if err != nil {
		return setup, err
	}
	if err := removeDevice(i.HostDevice()); err != nil {
		return setup, err
	}
	if len(i.DNS) == 0 && !i.DHCP && len(i.Addresses) > 0 && i.Source != "" {
		setup.DNS, err = nameServers(connection, i)
	}
	return setup, err
}

// InterfaceSetup says what an interface of a config, by its place there, shall have.
func InterfaceSetup(n int, i config.Interface) network.Interface {
	setup := network.Interface{Name: domain.InterfaceName(n), DHCP: i.DHCP, DNS: i.DNS}
	for _, a := range i.Addresses {
		setup.Addresses = append(setup.Addresses, network.Address{Prefix: a.Prefix, Broadcast: a.Broadcast})
	}
	for _, r := range i.Routes {
		setup.Routes = append(setup.Routes, network.Route(r))
	}
	return setup
}

// removeDevices removes the host's ends of a container's interfaces that libvirt has left.
func (m *Manager) removeDevices(s *config.Sandbox) {
	for _, i := range s.Interfaces {
		if i.MAC == "" {
			continue
		}
		err := removeDevice(i.HostDevice())
		if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EPERM) {
			// Its unit, made anew of an edited config, has no right to the network, for any of them; the next start that has
			// an interface, and the kernel with the container's network, remove them too.
			m.Warn("%s: the unit may not remove what is left of the network of a container that was started with interfaces; "+
				"change interface= only while it is stopped", s.Name)
			return
		}
		if err != nil {
			m.Warn("%s: %v", s.Name, err)
		}
	}
}

// removeDevice removes the host's end of an interface that libvirt left, as it does when a start failed. No container
// that runs has it: nobody else has the MAC address.
func removeDevice(name string) error {
	link, err := netlink.LinkByName(name)
	var absent netlink.LinkNotFoundError
	if errors.As(err, &absent) {
		return nil
	}
	if err == nil && link.Type() == "veth" {
		err = netlink.LinkDel(link)
	}
	if err != nil {
		return fmt.Errorf("remove what an interrupted start left of the network, %s: %w", name, err)
	}
	return nil
}

// nameServers gives those that libvirt runs on a network, which a fixed address of the same kind reaches.
func nameServers(connection *virt.Connection, i config.Interface) (servers []netip.Addr, err error) {
	text, err := connection.NetworkXML(i.Source)
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
		for _, a := range i.Addresses {
			if a.Contains(server) {
				servers = append(servers, server)
				break
			}
		}
	}
	return servers, nil
}

// setNetwork gives the interfaces of a container whose first program waits what they shall have.
func (m *Manager) setNetwork(ctx context.Context, r *Running, interfaces []network.Interface, status func(string)) error {
	if len(interfaces) == 0 {
		return nil
	}
	pid, err := initOf(proc.PIDOf(r.Controller))
	if errors.Is(err, proc.ErrNoFirst) {
		return nil // It has ended already, which awaitReady tells.
	}
	if err != nil {
		return err
	}
	init, err := proc.Open(pid)
	if err != nil {
		return err
	}
	defer init.Close()
	dir, err := os.OpenRoot(m.run(r.Sandbox.Name).Path())
	if err != nil {
		return fmt.Errorf("open runtime directory: %w", err)
	}
	defer dir.Close()
	status("Waiting for the network")
	limit := min(config.NetworkTimeout, r.Sandbox.Limits.StartTimeout)
	return startNetwork(ctx, r.Sandbox, dir, init, interfaces, limit)
}

// startNetwork gives the interfaces of a container what they shall have, within a limit; dir is its runtime directory.
func startNetwork(ctx context.Context, s *config.Sandbox, dir *os.Root, init *proc.Process, interfaces []network.Interface, limit time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := network.SwitchOn(init.File(), interfaces)
	if err == nil {
		err = AwaitForwarding(limited, s.Interfaces)
	}
	if err == nil {
		err = network.NewState(dir, s.Name, interfaces).Start(limited, init.File())
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("network of %s: %w", s.Name, network.Explain(err, limit))
	}
	return nil
}

// network says in a few words what network the container has.
func (r *Running) network() string {
	switch {
	case r.Sandbox.Network == config.NetworkHost:
		return "the host's network"
	case len(r.Sandbox.Interfaces) == 0:
		return "no network but loopback"
	}
	addresses, err := network.Addresses(r.Init)
	if err != nil || len(addresses) == 0 {
		return "no address"
	}
	var words []string
	for _, a := range addresses {
		words = append(words, a.String())
	}
	return strings.Join(words, ", ")
}

// Addresses gives those of a running container that others can reach, as the kernel has them for its network; of one
// that has the host's network none are its own. Errors: ErrNotRunning.
func (m *Manager) Addresses(ctx context.Context, name string) ([]netip.Prefix, error) {
	s, err := m.asStarted(name)
	if err != nil {
		return nil, err
	}
	controller, err := m.controllerPID(s)
	if err != nil || s.Network == config.NetworkHost {
		return nil, err
	}
	pid, err := initOf(controller)
	if err != nil {
		return nil, fmt.Errorf("addresses of %s: %w", name, err)
	}
	init, err := proc.Open(pid)
	if err != nil {
		return nil, fmt.Errorf("addresses of %s: %w", name, err)
	}
	defer init.Close()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	addresses, err := network.Addresses(init.File())
	if err != nil {
		return nil, fmt.Errorf("addresses of %s: %w", name, err)
	}
	return addresses, nil
}
