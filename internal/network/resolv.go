// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// HasResolv reports whether there is anything to say about name servers, now or when a lease comes.
func (s *State) HasResolv() bool {
	return slices.ContainsFunc(s.Interfaces, func(i Interface) bool { return i.DHCP || len(i.DNS) > 0 })
}

// resolv returns the text of resolv.conf(5).
func (s *State) resolv() string {
	var servers []netip.Addr
	var domains []string
	for _, i := range s.Interfaces {
		servers = append(servers, i.DNS...)
		lease := s.Leases[i.Name]
		if lease == nil {
			continue
		}
		if len(i.DNS) == 0 {
			servers = append(servers, lease.DNS...)
		}
		domains = append(domains, lease.Search...)
	}
	var text strings.Builder
	text.WriteString("# Made by virt-sandbox of the interfaces in the config and their leases.\n")
	for _, server := range first(mostServers, servers) {
		fmt.Fprintf(&text, "nameserver %s\n", server)
	}
	if domains = first(mostDomains, domains); len(domains) > 0 {
		fmt.Fprintf(&text, "search %s\n", strings.Join(domains, " "))
	}
	return text.String()
}

// first gives the first of a list, each once.
func first[T comparable](count int, list []T) (kept []T) {
	for _, item := range list {
		if len(kept) < count && !slices.Contains(kept, item) {
			kept = append(kept, item)
		}
	}
	return kept
}

// writeResolv writes the file in place, over which the container has its mount.
func (s *State) writeResolv() error {
	if !s.HasResolv() {
		return nil
	}
	text := []byte(s.resolv())
	if old, err := s.dir.ReadFile(ResolvFile); err == nil && bytes.Equal(old, text) {
		return nil
	}
	file, err := s.dir.OpenFile(ResolvFile, os.O_WRONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return fmt.Errorf("write resolv.conf: %w", err)
	}
	_, err = file.WriteAt(text, 0)
	if err := errors.Join(err, file.Truncate(int64(len(text))), file.Chmod(0o644), file.Close()); err != nil {
		return fmt.Errorf("write resolv.conf: %w", err)
	}
	return nil
}
