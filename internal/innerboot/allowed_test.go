// SPDX-License-Identifier: Apache-2.0

package innerboot

import "testing"

// TestUnchosenUnits: what packages of the host hang into the boot of every machine is masked, and what was asked for
// is not.
func TestUnchosenUnits(t *testing.T) {
	files := map[string]string{
		lib + "d.service":                                     bare,
		lib + "t.socket":                                      "[Socket]\nListenStream=1\n",
		lib + "t.service":                                     bare,
		lib + "multi-user.target.wants/d.service":             "-> ../d.service",
		lib + "sysinit.target.wants/t.service":                "-> ../t.service",
		lib + "sysinit.target.wants/zfs.service":              "-> ../zfs.service",
		lib + "sysinit.target.wants/systemd-journald.service": "-> ../systemd-journald.service",
		lib + "multi-user.target.wants/cloud.service":         "-> ../cloud.service",
		lib + "basic.target.requires/r.service":               "-> ../r.service",
		lib + "dbus.service.wants/w.service":                  "-> ../w.service",
		lib + "reboot.target.wants/plymouth.service":          "-> ../plymouth.service",
		lib + "sockets.target.d/10-more.conf":                 "[Unit]\nWants=m.socket\n",
		lib + "acme.target.wants/part.service":                "-> ../part.service",
	}
	got := planned(t, files, "d", "t.socket")
	for name, want := range map[string]string{
		"multi-user.target.wants/d.service":             "-> " + lib + "d.service",
		"sysinit.target.wants/t.service":                "",
		"sysinit.target.wants/zfs.service":              "-> /dev/null",
		"sysinit.target.wants/systemd-journald.service": "",
		"multi-user.target.wants/cloud.service":         "-> /dev/null",
		"basic.target.requires/r.service":               "-> /dev/null",
		"dbus.service.wants/w.service":                  "-> /dev/null",
		"reboot.target.wants/plymouth.service":          "-> /dev/null",
		"sockets.target.d/10-more.conf":                 "-> /dev/null",
		"acme.target.wants/part.service":                "",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}
