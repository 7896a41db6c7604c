// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// A container boots what was chosen, whatever the host has installed or made: of what packages and the administrator
// have every machine start, nothing; of generators, those of its own packages. Nothing of it fails or warns.
func TestBootIsChosen(t *testing.T) {
	rig.On(t, rig.Native)
	installUnits(t)
	const generator = "/etc/systemd/system-generators/vst-of-the-host"
	t.Cleanup(func() { shell(t, "rm -f "+generator) })
	shell(t, "mkdir -p /etc/systemd/system-generators && printf '#!/bin/sh\\nmkdir -p $1/multi-user.target.wants\\n"+
		"ln -s /usr/lib/systemd/system/vst-state.service $1/multi-user.target.wants/\\n' >"+generator+
		" && chmod +x "+generator)
	create(t, "t-chosen", "-C", "-u", "vst-generated.service")
	must(t, "start", "t-chosen")
	if got := inside(t, "t-chosen", "systemctl is-active vst-generated vst-part@good"); got != "active\nactive\n" {
		t.Errorf("what the package's generator makes is %q", got)
	}
	const list = "systemctl list-units --plain --no-legend --state=active --type=service,socket,timer,path,mount | " +
		"cut -d' ' -f1 | grep -v -e '[.]mount$'"
	allowed := []string{
		"dbus.service", "dbus.socket", "systemd-journal-flush.service", "systemd-journald-dev-log.socket",
		"systemd-journald.service", "systemd-journald.socket", "systemd-sysusers.service", "systemd-tmpfiles-clean.timer",
		"systemd-tmpfiles-setup-dev.service", "systemd-tmpfiles-setup.service", "systemd-user-sessions.service",
		"vst-generated.service", "vst-part@good.service",
	}
	for _, unit := range strings.Fields(inside(t, "t-chosen", list)) {
		if !slices.Contains(allowed, unit) {
			t.Errorf("%s is up, and was not chosen", unit)
		}
	}
	if failed := inside(t, "t-chosen", "systemctl --failed --no-legend --plain"); failed != "" {
		t.Errorf("failed inside:\n%s", failed)
	}
	for said := range strings.Lines(inside(t, "t-chosen", "journalctl -q -b -p warning --no-pager -o cat")) {
		// The host's limit may be low; and what its tmpfiles.d says of its /etc is done there already.
		if !strings.Contains(said, "Failed to set fd limit") && !strings.Contains(said, "of /etc/polkit-1/rules.d failed") {
			t.Errorf("a warning inside: %s", said)
		}
	}
}
