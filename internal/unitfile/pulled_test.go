// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// TestPulled: units that others start with them belong to a sandbox, as far as those do: what is required of what
// cannot be missing, and what is wanted of any. systemd's own, devices and slices do not, and nothing is there twice.
func TestPulled(t *testing.T) {
	const lib, etc, service = "/usr/lib/systemd/system/", "/etc/systemd/system/", "[Service]\nExecStart=/x\n"
	files := map[string]string{
		lib + "a.service": "[Unit]\nRequires=b.service sysinit.target systemd-udevd.service -.slice dev-x.device\nWants=\n" +
			"BindsTo=c.service\nRequires=\nWants=w.service dbus.service absent.service network-online.target\n" +
			"Requisite=q.service\n" + service + "Sockets=s.socket\n",
		lib + "b.service": "[Unit]\nRequires=a.service alias.service\n" + service, lib + "c.service": service,
		lib + "q.service":     service,
		lib + "alias.service": "-> real.service",
		lib + "real.service":  "[Unit]\nWants=w2@%p.service\nOnFailure=f.service\n" + service,
		lib + "w2@.service":   "[Unit]\nRequires=deep.service\n" + service, lib + "deep.service": service,
		lib + "f.service": service, lib + "systemd-udevd.service": service, lib + "dbus.service": service,
		lib + "network-online.target.wants/x.service": "-> ../x.service", lib + "x.service": service,
		lib + "w.service": "[Unit]\nWants=p.target\n" + service, lib + "p.target": "[Unit]\n",
		lib + "p.target.wants/member.service": "-> ../member.service", lib + "member.service": service,
		lib + "s.socket": "[Socket]\nService=a.service\n",
		lib + "r.socket": "[Unit]\nRequires=rs.socket\n[Socket]\n", lib + "r.service": service,
		lib + "rs.socket": "[Socket]\n", lib + "rs.service": service,
		lib + "l.service": service, lib + "l.service.requires/b.service": "-> ../b.service",
		lib + "l.service.wants/off.service": "-> ../off.service", lib + "off.service": service,
		etc + "l.service.wants/off.service":  "-> /dev/null",
		etc + "l.service.upholds/up.service": "-> " + lib + "up.service",
		lib + "up.service":                   service, lib + "t@.service.wants/t2@.service": "-> ../t2@.service",
		lib + "t@.service":  service,
		lib + "t2@.service": service, lib + "loop@.service": "[Unit]\nWants=loop@%ix.service\n" + service,
		etc + "l.service.wants/sandboxed@box.service": "-> ../sandboxed@box.service",
		etc + "sandboxed@box.service":                 "[Unit]\nSourcePath=/etc/libvirt-sandbox/services/box.sandbox\n",
		lib + "bad.service":                           "[Unit]\nWants=broken.service\n" + service,
		lib + "broken.service":                        "[Unit\n",
	}
	host := Root(hosttest.Root(t, files))
	for names, want := range map[string]string{
		"a.service": "b.service(a Requires) c.service(a BindsTo) q.service(a Requisite) real.service(b Requires) | " +
			"w.service(a Wants) s.socket(a Sockets) w2@real.service(real Wants) f.service(real OnFailure) p.target(w Wants) " +
			"deep.service(w2@real Requires) member.service(p.target Wants)",
		"a.service w.service": "b.service(a Requires) c.service(a BindsTo) q.service(a Requisite) " +
			"real.service(b Requires) | s.socket(a Sockets) p.target(w Wants) w2@real.service(real Wants) " +
			"f.service(real OnFailure) " +
			"member.service(p.target Wants) deep.service(w2@real Requires)",
		"r.socket": "rs.socket(r.socket Requires) rs.service(rs.socket Triggers) |",
		"l.service": "b.service(l Requires) a.service(b Requires) real.service(b Requires) c.service(a BindsTo) " +
			"q.service(a Requisite) | ...",
		"t@i.service": "| t2@i.service(t@i Wants)",
		"bad.service": "|",
	} {
		set, err := host.FindAll(strings.Fields(names), "box", func(err error) error { return err })
		if err != nil {
			t.Fatal(err)
		}
		said := func(units []*Unit) (text string) {
			for _, u := range units {
				text += fmt.Sprintf("%s(%s %s) ", u.Name, strings.TrimSuffix(u.By, ".service"), u.Via)
			}
			return text
		}
		got := strings.TrimSpace(said(set.Required) + "| " + said(set.Wanted))
		if some, isSome := strings.CutSuffix(want, "..."); got != want && !(isSome && strings.HasPrefix(got, some)) {
			t.Errorf("%s:\ngot  %s\nwant %s", names, got, want)
		}
	}
	set, err := host.FindAll([]string{"l"}, "box", func(err error) error { return err })
	if err != nil || !set.Has("up.service") || !set.Has("alias.service") || set.Has("off.service") ||
		set.Has("sandboxed@box.service") || len(set.Asked[0].Links) != 3 {
		t.Errorf("l.service: %+v, %v", set, err)
	}
	set, err = host.FindAll([]string{"loop@i"}, "box", func(err error) error { return err })
	if err != nil || len(set.Wanted) >= maxUnits {
		t.Errorf("without end: %d units, %v", len(set.Wanted), err)
	}
}

// TestPulledCapabilities: what is required can have what it asks for, and what is merely wanted gets nothing by asking.
func TestPulledCapabilities(t *testing.T) {
	const lib = "/usr/lib/systemd/system/"
	host := Root(hosttest.Root(t, map[string]string{
		lib + "a.service": "[Unit]\nRequires=b.service\nWants=c.service\n",
		lib + "b.service": "[Service]\nAmbientCapabilities=CAP_NET_ADMIN\n",
		lib + "c.service": "[Service]\nAmbientCapabilities=CAP_BPF\nBindPaths=/a:/b\n",
	}))
	set, err := host.FindAll([]string{"a"}, "box", func(err error) error { return err })
	if got := set.Capabilities(true); err != nil || fmt.Sprint(got) != "[CAP_NET_ADMIN]" {
		t.Errorf("got %v, %v", got, err)
	}
}
