package content

import (
	"slices"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/units"
)

func TestUnitNames(t *testing.T) {
	const service = "[Service]\nExecStart=/usr/sbin/d\n"
	box := config.New("box")
	box.Units = []string{"httpd.service"}
	host := newHost(t, map[string]string{
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
		"/etc/systemd/system/httpd@box.service":            string(units.Stub(box, units.Paths{Config: "/etc/libvirt-sandbox/services/box.sandbox"})),
		"/lib/systemd/system/other.service":                service,
	})
	want := []string{"httpd-alias.service", "httpd-local.target", "httpd.service", "httpd.socket", "httpd@.service"}
	if got := host.UnitNames("httpd"); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, name := range host.UnitNames("") {
		if _, err := host.FindUnit(name, "box"); err != nil {
			t.Errorf("%s is offered, and not found: %v", name, err)
		}
	}
}
