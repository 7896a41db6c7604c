// SPDX-License-Identifier: Apache-2.0

package nic

import "slices"

// WithMACs returns interfaces of which those without a MAC address have the one that they had: of the same interface,
// else of one of the same network, else of the next that nobody has.
func WithMACs(interfaces, had []Interface) []Interface {
	interfaces, had = slices.Clone(interfaces), slices.Clone(had)
	for _, i := range interfaces {
		had = slices.DeleteFunc(had, func(h Interface) bool { return h.MAC == i.MAC || h.MAC == "" })
	}
	without := func(i Interface) string { i.MAC = ""; return i.String() }
	for _, isIt := range []func(a, b Interface) bool{
		func(a, b Interface) bool { return without(a) == without(b) },
		func(a, b Interface) bool { return a.Source == b.Source && a.Bridge == b.Bridge },
		func(_, _ Interface) bool { return true },
	} {
		for n := range interfaces {
			i := &interfaces[n]
			at := slices.IndexFunc(had, func(h Interface) bool { return i.MAC == "" && isIt(*i, h) })
			if at >= 0 {
				i.MAC = had[at].MAC
				had = slices.Delete(had, at, at+1)
			}
		}
	}
	return interfaces
}
