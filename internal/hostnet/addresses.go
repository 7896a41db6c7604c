// SPDX-License-Identifier: Apache-2.0

package hostnet

import (
	"context"
	"net/netip"
	"os"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/network"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// AddressesOf returns those of the network of a process that others can reach.
func AddressesOf(ctx context.Context, pid int) ([]netip.Prefix, error) {
	process, err := proc.Open(pid)
	if err != nil {
		return nil, err
	}
	defer process.Close()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return network.Addresses(process.File())
}

// Describe says in a few words what network a running container has. init is the pidfd of its first process.
func Describe(s *config.Sandbox, init *os.File) string {
	switch {
	case s.Network == config.NetworkHost:
		return "the host's network"
	case len(s.Interfaces) == 0:
		return "no network but loopback"
	}
	addresses, err := network.Addresses(init)
	if err != nil || len(addresses) == 0 {
		return "no address"
	}
	var words []string
	for _, a := range addresses {
		words = append(words, a.String())
	}
	return strings.Join(words, ", ")
}
