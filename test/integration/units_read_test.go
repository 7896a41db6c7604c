// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// Units run as systemd reads them: with what it only warns of, under all their names, from wherever they are linked,
// with what they start; create says what a container cannot give them.
func TestUnitsAsSystemdReadsThem(t *testing.T) {
	rig.On(t, rig.Native)
	installUnits(t)
	const etc = "/etc/systemd/system/"
	t.Cleanup(func() { shell(t, "rm -rf "+etc+"vst-*") })
	t.Cleanup(func() { shell(t, "rm -rf /etc/vst.d /etc/vst.token") })
	shell(t, "rm -rf "+etc+"vst-*") // of a run that was killed
	shell(t, "umask 077; mkdir -p /etc/vst.d; echo FOUND=found >/etc/vst.d/a.env; echo token >/etc/vst.token")
	shell(t, "chmod 0600 /etc/vst/secret && mkdir "+etc+"vst-alias.service.d "+etc+"vst-asked.service.d"+
		" && ln -s /opt/vst/vst-linked.service "+etc+
		" && ln -s /usr/lib/systemd/system/vst-named.service "+etc+"vst-alias.service"+
		" && printf '[Service]\\nEnvironment=NAMED=alias\\n' >"+etc+"vst-alias.service.d/m.conf"+
		" && printf '[Service]\\nEnvironment=DROPIN=too\\n' >"+etc+"vst-asked.service.d/m.conf")
	o := run(t, "create", "-C", "-u", "vst-loose", "-u", "vst-alias", "-u", "vst-asked.socket",
		"-u", "vst-linked", "t-read")
	t.Cleanup(func() { remove(t, "t-read") })
	if o.status != 0 {
		t.Fatalf("create: %s", o.stderr)
	}
	for _, note := range []string{
		"vst-named.service: ConditionVirtualization=!container does not count in a container",
		"vst-named.service: it runs without CAP_SYSLOG CAP_WAKE_ALARM",
		"vst-asked.service: ConditionVirtualization=!container",
	} {
		if !strings.Contains(o.stderr, note) {
			t.Errorf("create says %q, want %q in it", o.stderr, note)
		}
	}
	must(t, "start", "t-read")
	for what, want := range map[string]string{
		"cat /run/vst-loose":                       "2101\n",
		"cat /run/vst-named":                       "alias\n",
		"cat /run/vst-linked":                      "linked\n",
		"systemctl is-active vst-alias vst-linked": "active\nactive\n",
		"timeout 3 busybox nc 127.0.0.1 8009 </dev/null; sleep 1; cat /run/vst-asked": "private too found token\n",
	} {
		if got := inside(t, "t-read", what); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	must(t, "stop", "t-read")
	// What others say of it still counts.
	shell(t, "touch /etc/vst-named.off")
	t.Cleanup(func() { shell(t, "rm -f /etc/vst-named.off") })
	if o := run(t, "start", "t-read"); o.status != 1 || !strings.Contains(o.stderr, "was skipped, since "+
		"ConditionPathExists=!/etc/vst-named.off is not met") {
		t.Errorf("start: exit status %d, %q", o.status, o.stderr)
	}
}
