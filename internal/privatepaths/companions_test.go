// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// TestCompanions: a service of another package that a unit wants is told of, unless all that it would have for itself
// is there. It is a part of the sandbox where a unit requires it, and so is one of the same packages.
func TestCompanions(t *testing.T) {
	const dir = "/usr/lib/systemd/system/"
	h := newHost(t, map[string]string{
		unitFile: bareUnit + "[Unit]\nWants=own.service d-init.service dbus.service systemd-x.service absent.service\n" +
			"Requires=d.target\nWants=unowned.service php.service nopaths.service php.socket\n",
		dir + "d.service.d/php.conf": "[Unit]\nWants=php.service\n",
		dir + "own.service":          bareUnit, dir + "d-init.service": bareUnit, dir + "dbus.service": bareUnit,
		dir + "systemd-x.service": bareUnit, dir + "unowned.service": bareUnit, dir + "php.service": bareUnit,
		dir + "php.socket": "[Socket]\n", dir + "d.target": "[Unit]\nRequires=free.service\n",
		dir + "nopaths.service": bareUnit, dir + "free.service": bareUnit,
		dir + "e.service": bareUnit + "[Unit]\nRequires=php.socket\n",
	},
		hosttest.Package("d", "", unitFile, dir+"own.service", "/etc/d/", "/etc/d/a", "/etc/d/b"),
		hosttest.Package("d-init", "", dir+"d-init.service", "/etc/d/init.conf"),
		hosttest.Package("bus", "", dir+"dbus.service", "/etc/bus/"),
		hosttest.Package("sys", "", dir+"systemd-x.service", "/etc/sys/"),
		hosttest.Package("php", "", dir+"php.service", dir+"php.socket", "/etc/php.d/", "/var/lib/php/"),
		hosttest.Package("nopaths", "", dir+"nopaths.service"), hosttest.Package("e", "", dir+"e.service", "/etc/e/"),
	)
	for asked, want := range map[string]struct {
		units, paths, companions string
	}{
		"d": {"d.service d.target free.service own.service", "/etc/d", "[{php.service d.service /etc/php.d}]"},
		"d php": {
			"d.service php.service d.target free.service own.service php.socket", "/etc/d /etc/php.d /var/lib/php", "[]",
		},
		"e": {"e.service php.socket php.service", "/etc/e /etc/php.d /var/lib/php", "[]"},
	} {
		set, err := unitfile.Root(h.Root).FindAll(strings.Fields(asked), "", func(err error) error { return err })
		if err != nil {
			t.Fatal(err)
		}
		units, err := h.Units(context.Background(), set, nil)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := h.Plan(context.Background(), units, nil)
		if err != nil {
			t.Fatal(err)
		}
		var names, paths []string
		for _, u := range units {
			names = append(names, u.Name)
		}
		for _, p := range plan.Private {
			paths = append(paths, p.Path)
		}
		companions, err := h.Companions(context.Background(), set.Wanted, plan.Private)
		if got := strings.Join(names, " "); got != want.units {
			t.Errorf("%s: units %q, want %q", asked, got, want.units)
		}
		if got := strings.Join(paths, " "); got != want.paths {
			t.Errorf("%s: paths %q, want %q", asked, got, want.paths)
		}
		if got := fmt.Sprint(companions); err != nil || got != want.companions {
			t.Errorf("%s: companions %s, %v, want %s", asked, got, err, want.companions)
		}
	}
}
