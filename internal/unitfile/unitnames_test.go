// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"slices"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/units"
)

func TestNames(t *testing.T) {
	const service = "[Service]\nExecStart=/usr/sbin/d\n"
	box := config.New("box")
	box.Units = []string{"httpd.service"}
	host := Root(hosttest.Root(t, map[string]string{
		"/usr/lib/systemd/system/httpd.service":            service,
		"/usr/lib/systemd/system/httpd.socket":             "[Socket]\nListenStream=80\n",
		"/usr/lib/systemd/system/httpd.slice":              "[Slice]\n",
		"/usr/lib/systemd/system/httpd.service.d/":         "",
		"/usr/lib/systemd/system/httpd@.service":           service,
		"/usr/local/lib/systemd/system/httpd-local.target": "[Unit]\n",
		"/etc/systemd/system/httpd.service":                service,
		"/etc/systemd/system/httpd-alias.service":          "-> /usr/lib/systemd/system/httpd.service",
		"/etc/systemd/system/httpd-masked.service":         "-> /dev/null",
		"/etc/systemd/system/httpd-gone.service":           "-> absent.service",
		"/etc/systemd/system/httpd@box.service": string(
			units.Stub(box, units.Paths{Config: "/etc/libvirt-sandbox/services/box.sandbox"}),
		),
		"/lib/systemd/system/other.service": service,
	}))
	want := []string{"httpd-alias.service", "httpd-local.target", "httpd.service", "httpd.socket", "httpd@.service"}
	if got := host.Names("httpd"); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, name := range host.Names("") {
		if _, err := host.Find(name, "box"); err != nil {
			t.Errorf("%s is offered, and not found: %v", name, err)
		}
	}
}
