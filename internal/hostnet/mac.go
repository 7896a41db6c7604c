// SPDX-License-Identifier: Apache-2.0

package hostnet

import (
	"crypto/sha256"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// macPrefix begins the MAC addresses that libvirt and we choose.
const macPrefix = "\x52\x54\x00"

// ChooseMACs gives each interface that has no MAC one: it follows from the sandbox's identity, so that the address
// which a server lets it have stays the same, and is nobody else's.
func (h *Host) ChooseMACs(libvirt Libvirt, s *config.Sandbox) error {
	taken, err := h.takenMACs(libvirt, s)
	if err != nil {
		return err
	}
	giveMACs(s, taken)
	return nil
}

func giveMACs(s *config.Sandbox, taken map[string]string) {
	for n := range s.Interfaces {
		if i := &s.Interfaces[n]; i.MAC == "" {
			i.MAC = chooseMAC(s.UUID, n, taken)
		}
		taken[s.Interfaces[n].MAC] = s.Name
	}
}

// CheckMACs refuses a MAC that another sandbox has too, as in a config that was copied by hand. A start does this, so
// it parses only configs that have the text.
func (h *Host) CheckMACs(s *config.Sandbox) error {
	if len(s.Interfaces) == 0 {
		return nil
	}
	names, err := h.configs.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := h.configs.Texts(name)
		if name == s.Name || err != nil {
			continue
		}
		text = strings.ToLower(text)
		for _, i := range s.Interfaces {
			if i.MAC == "" || !strings.Contains(text, i.MAC) {
				continue
			}
			// One that cannot be read does not start either.
			if other, err := h.configs.Known(name); err == nil && hasMAC(other, i.MAC) {
				return h.conflict(s, i, "sandbox "+name)
			}
		}
	}
	return nil
}

func (h *Host) conflict(s *config.Sandbox, i config.Interface, by string) error {
	return fmt.Errorf("%s: %s has the MAC address %s already; choose another, or leave mac= out",
		h.configs.Path(s.Name), by, i.MAC)
}

func hasMAC(s *config.Sandbox, mac string) bool {
	return slices.ContainsFunc(s.Interfaces, func(i config.Interface) bool { return i.MAC == mac })
}

// chooseMAC derives an address that is not taken.
func chooseMAC(uuid string, n int, taken map[string]string) string {
	for attempt := 0; ; attempt++ {
		sum := sha256.Sum256([]byte(uuid + " " + strconv.Itoa(n) + " " + strconv.Itoa(attempt)))
		mac := net.HardwareAddr(macPrefix + string(sum[:3])).String()
		if taken[mac] == "" {
			return mac
		}
	}
}

// takenMACs returns who has which addresses: other sandboxes, and the domains of libvirt's that are none.
func (h *Host) takenMACs(libvirt Libvirt, s *config.Sandbox) (map[string]string, error) {
	taken := make(map[string]string)
	names, err := h.configs.Names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		other, err := h.configs.Known(name)
		if name == s.Name || err != nil {
			// One that cannot be read does not start either.
			continue
		}
		for _, i := range other.Interfaces {
			taken[i.MAC] = "sandbox " + name
		}
	}
	delete(taken, "")
	texts, err := libvirt.DomainTexts(nil)
	if err != nil {
		return nil, err
	}
	for _, text := range texts {
		if err := addDomainMACs(text, s.Name, taken); err != nil {
			return nil, err
		}
	}
	return taken, nil
}

// addDomainMACs adds the addresses of a domain, but not of the sandbox's own.
func addDomainMACs(text, own string, taken map[string]string) error {
	var described libvirtxml.Domain
	if err := described.Unmarshal(text); err != nil {
		return fmt.Errorf("read libvirt's domains: %w", err)
	}
	if described.Name == own || described.Devices == nil {
		return nil
	}
	for _, i := range described.Devices.Interfaces {
		if i.MAC != nil && taken[i.MAC.Address] == "" {
			taken[i.MAC.Address] = "libvirt domain " + described.Name
		}
	}
	return nil
}

// DropMACsOf takes from a copy of a config the addresses that are the original's.
func DropMACsOf(s, original *config.Sandbox) {
	for n := range s.Interfaces {
		if hasMAC(original, s.Interfaces[n].MAC) {
			s.Interfaces[n].MAC = ""
		}
	}
}
