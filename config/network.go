// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/nic"
)

// Interface is a network interface of a container, beside loopback: the first is eth0.
type Interface = nic.Interface

// DefaultNetwork is the libvirt network of an interface that names none.
const DefaultNetwork = nic.DefaultNetwork

// NetworkTimeout is how long a container that starts may wait for its network.
const NetworkTimeout = 45 * time.Second

// maxInterfaces bounds what one config can make of a host's bridges.
const maxInterfaces = 100

// CheckInterfaces tells what is wrong with interfaces that are each right by themselves.
func CheckInterfaces(mode NetworkMode, interfaces []Interface) error {
	switch {
	case mode == NetworkHost && len(interfaces) > 0:
		return errors.New(msgHostInterface)
	case len(interfaces) > maxInterfaces:
		return fmt.Errorf(msgInterfaces, maxInterfaces)
	}
	seen := make(map[string]bool)
	for _, i := range interfaces {
		if seen[i.MAC] && i.MAC != "" {
			return fmt.Errorf(msgSameMAC, i.MAC)
		}
		seen[i.MAC] = true
	}
	return nil
}

// HasMACs reports whether every interface has one.
func (s *Sandbox) HasMACs() bool {
	return !slices.ContainsFunc(s.Interfaces, func(i Interface) bool { return i.MAC == "" })
}
