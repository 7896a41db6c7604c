// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// A container's unit on the host is its own: drop-ins for the distribution's template do not change how it runs there,
// and an instance of that template which runs on the host is never taken for it.
func TestSystemdOwnUnit(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	installUnits(t)
	const dir = "/etc/systemd/system/vst-template@.service.d"
	const dropIn = dir + "/site.conf"
	t.Cleanup(func() { shell(t, "rm -rf "+dir+" && systemctl daemon-reload") })
	shell(t, "mkdir "+dir)
	text := "[Service]\nUser=www-data\nProtectSystem=strict\nEnvironment=SITE=inside\n"
	if err := os.WriteFile(dropIn, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	create(t, "t-own", "-C", "-u", "vst-template@.service")
	const unit = "vst-template@t-own.service"
	systemctl(t, "start", unit)
	if user := property(t, unit, "User"); user != "" {
		t.Errorf("the helper runs as %s", user)
	}
	if got := inside(t, "t-own", "systemctl show -P Environment "+unit); !strings.Contains(got, "SITE=inside") {
		t.Errorf("inside it has the environment %q", got)
	}
	systemctl(t, "stop", unit)

	shell(t, "rm "+dropIn+" && systemctl daemon-reload && systemctl start vst-template@t-theirs")
	t.Cleanup(func() { shell(t, "systemctl stop vst-template@t-theirs") })
	o := run(t, "create", "-C", "-u", "vst-template@.service", "t-theirs")
	if o.status != 1 || !strings.Contains(o.stderr, "vst-template@t-theirs.service runs on this host") {
		t.Errorf("create: exit status %d, %q", o.status, o.stderr)
		remove(t, "t-theirs")
	}
}
