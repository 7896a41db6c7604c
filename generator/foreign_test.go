// SPDX-License-Identifier: Apache-2.0

package generator

import (
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// TestForeignDropIns: what adds to the distribution's template does not add to a container's unit; what adds to that
// by its name, or to all services, does.
func TestForeignDropIns(t *testing.T) {
	host := hosttest.Root(t, map[string]string{
		"/etc/web@.service.d/site.conf":       "[Service]\nUser=www-data\n",
		"/usr/web@.service.d/shipped.conf":    "[Service]\nUser=www-data\n",
		"/usr/web@.service.d/both.conf":       "[Service]\nUser=www-data\n",
		"/etc/web@a.service.d/both.conf":      "[Service]\nTimeoutStartSec=9\n",
		"/etc/web@a.service.d/own.conf":       "[Service]\nTimeoutStartSec=9\n",
		"/etc/web@.service.d/README":          "",
		"/etc/service.d/all.conf":             "[Unit]\nOnFailure=tell.service\n",
		"/etc/virt-sandbox@.service.d/a.conf": "[Service]\nNice=1\n",
		"/etc/virt-.service.d/b.conf":         "[Service]\nNice=1\n",
	})
	store := configsIn(t, map[string]string{
		"a.sandbox":   "[sandbox]\nformat=1\nname=a\nunit=web@a.service\n",
		"job.sandbox": "[sandbox]\nformat=1\nname=job\n[command]\nargument=/bin/true\n",
	})
	files, problems := generateFor(t, Generator{
		Store: store, UnitDir: t.TempDir(), Helper: helper, UnitPath: []string{host + "/etc", host + "/usr", host + "/lib"},
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := map[string]bool{"early/web@a.service.d/site.conf": true, "early/web@a.service.d/shipped.conf": true}
	for name, text := range files {
		if strings.HasPrefix(name, "early/") && (!want[name] || text != "-> /dev/null") {
			t.Errorf("%s is %q", name, text)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("not masked: %v", want)
	}
}
