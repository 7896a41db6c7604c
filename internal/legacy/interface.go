// SPDX-License-Identifier: Apache-2.0

package legacy

import (
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// network makes an interface of a network, one part after another so that a mistake has its line.
func (v *converter) network(n Network) {
	var i config.Interface
	set := func(line int, format string, args ...any) { v.check(line, i.Set(fmt.Sprintf(format, args...))) }
	if n.DHCP {
		set(n.Line, "dhcp")
	}
	set(n.Line, "source=%s", n.Source)
	if n.MAC != "" {
		set(n.Line, "mac=%s", n.MAC)
	}
	if n.Filter != "" {
		set(n.Line, "filter=%s", n.Filter)
	}
	for _, p := range n.Parameters {
		set(p.Line, "filter.%s=%s", p.Name, p.Value)
	}
	v.check(n.Line, i.Check())
	for _, a := range n.Addresses {
		switch {
		case n.DHCP:
			v.note(a.Line, "the original did not set address "+a.IP+" either, for dhcp is on")
		case a.Broadcast != "":
			set(a.Line, "address=%s/%d%%%s", a.IP, a.Prefix, a.Broadcast)
		default:
			set(a.Line, "address=%s/%d", a.IP, a.Prefix)
		}
	}
	for _, r := range n.Routes {
		if n.DHCP {
			v.note(r.Line, "the original did not set the route to "+r.Target+" either, for dhcp is on")
			continue
		}
		set(r.Line, "route=%s/%d%%%s", r.Target, r.Prefix, r.Gateway)
		v.check(r.Line, i.Check())
	}
	s := v.result.Sandbox
	s.Interfaces = append(s.Interfaces, i)
	v.check(n.Line, config.CheckInterfaces(s.Network, s.Interfaces))
}
