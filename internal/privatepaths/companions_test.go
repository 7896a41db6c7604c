// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"context"
	"slices"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// TestCompanions: a service of another package that a unit starts is told of, unless all that it would have for itself
// is there, or it is a base of every container.
func TestCompanions(t *testing.T) {
	const dir = "/usr/lib/systemd/system/"
	h := newHost(t, map[string]string{
		unitFile: bareUnit + "[Unit]\nWants=own.service d-init.service dbus.service systemd-x.service absent.service\n" +
			"Requires=d.target php.socket\nWants=unowned.service php.service nopaths.service\n",
		dir + "d.service.d/php.conf": "[Unit]\nWants=php.service\n",
		dir + "own.service":          bareUnit, dir + "d-init.service": bareUnit, dir + "dbus.service": bareUnit,
		dir + "systemd-x.service": bareUnit, dir + "unowned.service": bareUnit, dir + "php.service": bareUnit,
		dir + "php.socket": "[Socket]\n", dir + "d.target": "[Unit]\n", dir + "nopaths.service": bareUnit,
	},
		hosttest.Package("d", "", unitFile, dir+"own.service", "/etc/d/"),
		hosttest.Package("d-init", "", dir+"d-init.service", "/etc/d/init.conf"),
		hosttest.Package("bus", "", dir+"dbus.service", "/etc/bus/"),
		hosttest.Package("sys", "", dir+"systemd-x.service", "/etc/sys/"),
		hosttest.Package("php", "", dir+"php.service", "/etc/php.d/", "/var/lib/php/"),
		hosttest.Package("nopaths", "", dir+"nopaths.service"),
	)
	private := []config.PrivatePath{{Path: "/etc/d"}}
	got, err := h.Companions(context.Background(), []*unitfile.Unit{h.unit()}, private)
	if want := []Companion{{"php.service", "d.service", "/etc/php.d"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	php, err := unitfile.Root(h.Root).Find("php", "")
	if err != nil {
		t.Fatal(err)
	}
	both := []*unitfile.Unit{h.unit(), php}
	if got, err := h.Companions(context.Background(), both, private); err != nil || len(got) != 0 {
		t.Errorf("a unit of the sandbox's own: got %v, %v", got, err)
	}
	private = append(private, config.PrivatePath{Path: "/etc/php.d"}, config.PrivatePath{Path: "/var/lib/php"})
	if got, err := h.Companions(context.Background(), []*unitfile.Unit{h.unit()}, private); err != nil || len(got) != 0 {
		t.Errorf("with its paths: got %v, %v", got, err)
	}
}
